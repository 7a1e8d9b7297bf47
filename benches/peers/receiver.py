"""A receiver of WeCom's callbacks as one would write it in Python: wechatpy, FastAPI, asyncpg.

It verifies, decrypts and parses each callback, stores it with one INSERT, and answers after that. The benchmark `peers`
starts it with uvicorn and gives it its apps and its database (PGHOST and the like) in the environment.
"""

import contextlib
import datetime
import hashlib
import json
import os

import asyncpg
import fastapi
import xmltodict
from wechatpy.enterprise.crypto import WeChatCrypto
from wechatpy.enterprise.exceptions import InvalidCorpIdException
from wechatpy.exceptions import InvalidSignatureException

APPS = {
    name: (app["id"], WeChatCrypto(app["token"], app["encoding_aes_key"], app["receive_id"]))
    for name, app in json.loads(os.environ["PEER_APPS"]).items()
}
INSERT = """
    insert into rival (event_at, app_id, hash, plaintext) values ($1, $2, $3, $4) on conflict do nothing
"""


@contextlib.asynccontextmanager
async def lifespan(app: fastapi.FastAPI):
    connections = int(os.environ["PEER_CONNECTIONS"])
    async with asyncpg.create_pool(min_size=connections, max_size=connections) as pool:
        app.state.pool = pool
        yield


app = fastapi.FastAPI(lifespan=lifespan)


@app.post("/callback/{name}")
async def receive(name: str, request: fastapi.Request, msg_signature: str, timestamp: str, nonce: str):
    if name not in APPS:
        return fastapi.Response(status_code=404)
    app_id, crypto = APPS[name]
    try:
        plaintext = crypto.decrypt_message(await request.body(), msg_signature, timestamp, nonce)
    except (InvalidSignatureException, InvalidCorpIdException):
        return fastapi.Response(status_code=403)
    if isinstance(plaintext, str):
        plaintext = plaintext.encode()
    message = xmltodict.parse(plaintext)["xml"]
    at = datetime.datetime.fromtimestamp(int(message["CreateTime"]), datetime.timezone.utc)
    await app.state.pool.execute(INSERT, at, app_id, hashlib.sha256(plaintext).digest(), plaintext)
    return fastapi.Response("success", media_type="text/plain")
