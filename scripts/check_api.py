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


def ask(path, method="GET", body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {"Authorization": f"Bearer {TOKEN}"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def items(path):
    return ask(path)["items"]


known = ask(f"/customer-contact/{CUSTOMER}")
staff = items("/staff-bind?status=bound&limit=50")
contact = known["items"][0]
corpid = contact["corpid"]
# The demo looked at a photo.
media = [it["subject"] for it in items("/access-log?route=media/%7Bid%7D&status=200")]

# Somebody leaves, and a colleague is chosen; others only say that they will leave.
leavers = [it["staff_id"] for it in staff if it["staff_id"] != contact["staff_id"]][:6]
resigned = [ask("/resignations", "POST", {"staff_id": it, "last_day": "2030-01-31"})["id"] for it in leavers]
begun = ask(f"/resignations/{resigned[0]}/approve", "POST", {})["handover_id"]
version = ask(f"/handovers/{begun}")["version"]
ask(f"/handovers/{begun}/plan", "PUT", {"version": version, "successor": contact["staff_id"]})

# Somebody may be erased, but not whom the rest is asked about.
handed_over = [it["subject"] for it in items("/handovers/1/items?kind=customer&limit=50")]

# What the parameters of paths may be, by the path's last segment or else by its first after the base.
IDS = {
    "customer-contact": [CUSTOMER, contact["external_userid"]],
    "contact-records": [CUSTOMER, contact["external_userid"]],
    "customer-contact-qr": [it["state"] for it in known["contact_ways"]],
    "deliveries": [it["id"] for it in items("/deliveries?limit=50")],
    "handovers": [it["id"] for it in items("/handovers?limit=50") if it["id"] != begun],
    "notify": [begun],
    "plan": [begun],
    "media": media,
    "resignations": resigned,
    "approve": resigned[1:3],
    "refuse": resigned[3:5],
    "sync": [1, 2],
    "tasks": [it["id"] for it in items("/tasks?limit=50")],
    "work-orders": [1, 2, 3],
    "api-tokens": [2, 3, 4],
    "export": [CUSTOMER, contact["external_userid"]],
    "customers": [it for it in handed_over if it != contact["external_userid"]],
    "erasures": [1, 2, 3],
    "sessions": range(1, 30),
    "console-users": [it["wechat_userid"] for it in staff],
}

# What must stay as it is for what else is asked: the check's own token, and the handover that has a plan. Whoever means
# these means the second.
KEPT = {
    "api-tokens": (OWN_TOKEN, 10**9),
    "handovers": (begun, 1),
    "resignations": (resigned[0], resigned[-1]),
    "customers": (CUSTOMER, "C-0"),
}

# What that handover is kept for.
NEEDED_BY = ("notify", "plan")

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
    kept, other = KEPT.get(path[0], (None, None))
    if case.method != "GET" and path[-1] not in NEEDED_BY and str((case.path_parameters or {}).get("id")) == str(kept):
        case.path_parameters["id"] = other
    if not is_meant_well(case):
        # An empty parameter counts as left out, so it is no bad one.
        case.query = {name: "!" if value == "" else value for name, value in (case.query or {}).items()}
        if path[0] == "console-users" and case.path_parameters:
            # In a path a number is a text like any other, so it is no bad one either.
            case.path_parameters["userid"] = "x" * 65
        return
    if isinstance(case.body, dict) and "corpid" in case.body:
        # With a second company, every request that leaves the corp out would be refused at once.
        case.body["corpid"] = corpid
    calls[case.operation.label] += 1
    if calls[case.operation.label] % 2:
        return
    ids = IDS.get(path[-1]) or IDS.get(path[0], [])
    if ids and case.path_parameters:
        name = next(iter(case.path_parameters))
        case.path_parameters[name] = ids[calls[case.operation.label] // 2 % len(ids)]
    for name in ("If-Match", "Idempotency-Key"):
        # Half of them as if nobody had been there before.
        (case.headers or {}).pop(name, None)
    if path[-1] == "plan":
        case.query = {"preview": "true"}
        case.body = {"successor": "any"}
    if isinstance(case.body, dict):
        for name, values in FIELDS.items():
            if name in case.body:
                case.body[name] = next(values)


@schemathesis.hook
def after_call(context, case, response):
    if 200 <= response.status_code < 300:
        with open(os.environ["WECOMD_API_ANSWERED"], "a") as answered:
            print(case.operation.label, file=answered)
