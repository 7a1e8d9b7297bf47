"""What scripts/check-api adds to schemathesis: ids that exist, so that more than "there is no such …" is met.

Only requests that are meant to be good are changed, every second of each operation; what the others say is theirs. The
token that the check itself uses is never revoked.
"""

import collections
import itertools
import json
import os
import urllib.request

import schemathesis
from schemathesis import GenerationMode

BASE = os.environ["WECOMD_API"] + "/api/enterprise-wechat"
TOKEN = os.environ["WECOMD_API_TOKEN"]

# The number of the check's own token: the demo makes one alone.
OWN_TOKEN = 1

# The demo's customer.
CUSTOMER = "C-9001"

calls = collections.Counter()


def ask(path):
    request = urllib.request.Request(BASE + path, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def items(path):
    return ask(path)["items"]


known = ask(f"/customer-contact/{CUSTOMER}")
staff = items("/staff-bind?status=bound&limit=50")
contact = known["items"][0]
corpid = contact["corpid"]
media = [it["media_id"] for it in items(f"/contact-records/{CUSTOMER}?limit=50") if it["media_id"]]

# What the parameters of paths may be, by the path's first segment after the base.
IDS = {
    "customer-contact": [CUSTOMER, contact["external_userid"]],
    "contact-records": [CUSTOMER, contact["external_userid"]],
    "customer-contact-qr": [it["state"] for it in known["contact_ways"]],
    "deliveries": [it["id"] for it in items("/deliveries?limit=50")],
    "handovers": [it["id"] for it in items("/handovers?limit=50")],
    "media": media,
    "resignations": [1, 2, 3],
    "sync": [1, 2],
    "tasks": [it["id"] for it in items("/tasks?limit=50")],
    "work-orders": [1, 2, 3],
    "api-tokens": [2, 3, 4],
}

# What bodies may name.
FIELDS = {
    "staff_id": itertools.cycle(it["staff_id"] for it in staff),
    "wechat_userid": itertools.cycle(it["wechat_userid"] for it in staff),
    "from": itertools.cycle([contact["staff_id"]]),
    "to": itertools.cycle(it["staff_id"] for it in staff),
    "successor": itertools.cycle(it["staff_id"] for it in staff),
    "customers": itertools.cycle([[contact["external_userid"]]]),
    "customer_id": itertools.cycle([CUSTOMER]),
    "work_order_id": itertools.cycle([known["work_orders"][0]["id"]]),
}


def is_meant_well(case):
    return case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.operation.path.removeprefix("/api/enterprise-wechat/").split("/")
    if case.method == "DELETE" and path[0] == "api-tokens" and str(case.path_parameters.get("id")) == str(OWN_TOKEN):
        case.path_parameters["id"] = 10**9
    if not is_meant_well(case):
        # An empty parameter counts as left out, so it is no bad one.
        case.query = {name: "!" if value == "" else value for name, value in (case.query or {}).items()}
        return
    if isinstance(case.body, dict) and "corpid" in case.body:
        # With a second company, every request that leaves the corp out would be refused at once.
        case.body["corpid"] = corpid
    calls[case.operation.label] += 1
    if calls[case.operation.label] % 2:
        return
    ids = IDS.get(path[0], [])
    if ids and case.path_parameters:
        name = next(iter(case.path_parameters))
        case.path_parameters[name] = ids[calls[case.operation.label] // 2 % len(ids)]
    if isinstance(case.body, dict):
        for name, values in FIELDS.items():
            if name in case.body:
                case.body[name] = next(values)
