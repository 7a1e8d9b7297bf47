//! The table of routes: what a method and path mean, and which role they ask for. It refuses to know what happens then.

use std::sync::LazyLock;

use matchit::Router;

use super::{
    auth::Role,
    problem::{Code, Problem},
};

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Lists the apps, without their secrets.
    ConfigList,
    /// Adds or changes an app.
    ConfigSave,
    /// Lists bindings.
    StaffBindList,
    /// Binds a staff member to a WeCom user.
    StaffBindAdd,
    /// Unbinds a staff member.
    StaffBindRemove,
    /// Shows who knows a customer.
    CustomerContactShow,
    /// Lists what passed between a customer and us.
    ContactRecordsList,
    /// Lists deliveries.
    DeliveryList,
    /// Shows a delivery with its plaintext.
    DeliveryShow,
    /// Queues a delivery again.
    DeliveryReplay,
    /// Lists who did what.
    AccessLogList,
    /// Lists tokens.
    ApiTokenList,
    /// Makes a token.
    ApiTokenAdd,
    /// Ends a token.
    ApiTokenRevoke,
    /// Lists handovers.
    HandoverList,
    /// Shows a handover and what is left behind.
    HandoverShow,
    /// Lists a handover's items.
    HandoverItems,
    /// The same as a file.
    HandoverItemsCsv,
    /// Lists the turns that a handover took.
    HandoverLog,
    /// Plans a handover, or shows what a plan would be.
    HandoverPlan,
    /// Tells the successors.
    HandoverNotify,
    /// Writes down what a successor answered.
    HandoverAccept,
    /// Lets a handover go.
    HandoverSubmit,
    /// Calls a handover off.
    HandoverCancel,
    /// Has WeCom asked for results now.
    HandoverPoll,
    /// Gives items up.
    HandoverClose,
    /// Lists resignations.
    ResignationList,
    /// Enters a resignation.
    ResignationAdd,
    /// Shows a resignation.
    ResignationShow,
    /// Approves a resignation.
    ResignationApprove,
    /// Refuses a resignation.
    ResignationRefuse,
    /// Withdraws a resignation.
    ResignationCancel,
    /// Hands customers from one staff member to another.
    TransferMake,
    /// Lists which customers went from whom to whom.
    TransferHistory,
    /// Hands out a message's picture, sound, film or file.
    MediaShow,
    /// Lists tasks.
    TaskList,
    /// Makes a task due now.
    TaskReplay,
    /// Takes a task away.
    TaskCancel,
    /// Makes a link by which a staff member binds themselves.
    StaffBindLogin,
    /// Where that link's login leads back to.
    StaffBindLoginCallback,
    /// Finds out what works between an app and WeCom.
    TestConnection,
    /// Lists work orders.
    WorkOrderList,
    /// Adds a work order.
    WorkOrderAdd,
    /// Shows a work order and what became of it.
    WorkOrderShow,
    /// Changes who is in charge of a work order, or how far it is.
    WorkOrderChange,
    /// Lists who takes new orders.
    StaffDutyList,
    /// Says whether a staff member takes new orders.
    StaffDutySet,
    /// Gives out the code that brings a customer to a staff member.
    CustomerContactMake,
    /// Shows such a code as a picture.
    CustomerContactQr,
    /// Lists people who may be one of several customers.
    CustomerMatchList,
    /// Decides which.
    CustomerMatchDecide,
    /// Adds a record by hand.
    ContactRecordAdd,
    /// Lists runs of reconciling.
    SyncList,
    /// Shows a run and what it found.
    SyncShow,
    /// Begins a run.
    SyncStart,
    /// Ends a run before its end.
    SyncCancel,
    /// Shows what a reporting view says of some days.
    ReportShow,
    /// Shows who is calling.
    SessionShow,
    /// Logs a browser in with a token.
    SessionMake,
    /// Logs out.
    SessionEnd,
    /// Sends a browser to WeCom to log in.
    SessionLogin,
    /// Where that login leads back to.
    SessionLoginCallback,
    /// Lists who is logged in.
    SessionList,
    /// Logs somebody out.
    SessionEndOther,
    /// Lists who may log in.
    ConsoleUserList,
    /// Lets somebody log in.
    ConsoleUserPut,
    /// Lets somebody log in no longer.
    ConsoleUserRemove,
    /// Hands out everything that is held about somebody.
    CustomerExport,
    /// Erases somebody.
    CustomerErase,
    /// Lists erasures.
    ErasureList,
    /// Shows how far an erasure is.
    ErasureShow,
}

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without a token: the request carries a proof of its own.
    Public,
    /// Whoever's token has at least this role.
    Role(Role),
}

/// What a caller may take who sees their own alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scoped {
    /// The endpoint keeps to what is theirs.
    Own,
    /// It is about nobody but the caller.
    Caller,
    /// Nothing.
    Closed,
}

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with at most one `{parameter}`.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// What a caller may take of it who sees their own alone.
    pub scoped: Scoped,
    /// What it does.
    pub endpoint: Endpoint,
}

/// Every route of the admin API.
pub const ROUTES: &[Route] = &[
    route("GET", "/api/enterprise-wechat/config", Role::Viewer, Endpoint::ConfigList),
    route("POST", "/api/enterprise-wechat/config", Role::Admin, Endpoint::ConfigSave),
    route("GET", "/api/enterprise-wechat/staff-bind", Role::Viewer, Endpoint::StaffBindList).own(),
    route("POST", "/api/enterprise-wechat/staff-bind", Role::Operator, Endpoint::StaffBindAdd),
    route("DELETE", "/api/enterprise-wechat/staff-bind", Role::Operator, Endpoint::StaffBindRemove),
    route("GET", "/api/enterprise-wechat/customer-contact/{customerId}", Role::Viewer, Endpoint::CustomerContactShow)
        .own(),
    route("GET", "/api/enterprise-wechat/contact-records/{customerId}", Role::Viewer, Endpoint::ContactRecordsList)
        .own(),
    route("GET", "/api/enterprise-wechat/deliveries", Role::Viewer, Endpoint::DeliveryList),
    route("GET", "/api/enterprise-wechat/deliveries/{id}", Role::Operator, Endpoint::DeliveryShow),
    route("POST", "/api/enterprise-wechat/deliveries/{id}/replay", Role::Operator, Endpoint::DeliveryReplay),
    route("GET", "/api/enterprise-wechat/handovers", Role::Viewer, Endpoint::HandoverList).own(),
    route("GET", "/api/enterprise-wechat/handovers/{id}", Role::Viewer, Endpoint::HandoverShow).own(),
    route("GET", "/api/enterprise-wechat/handovers/{id}/items", Role::Viewer, Endpoint::HandoverItems).own(),
    route("GET", "/api/enterprise-wechat/handovers/{id}/items.csv", Role::Viewer, Endpoint::HandoverItemsCsv).own(),
    route("GET", "/api/enterprise-wechat/handovers/{id}/log", Role::Viewer, Endpoint::HandoverLog),
    route("PUT", "/api/enterprise-wechat/handovers/{id}/plan", Role::Operator, Endpoint::HandoverPlan),
    route("POST", "/api/enterprise-wechat/handovers/{id}/notify", Role::Operator, Endpoint::HandoverNotify),
    route("POST", "/api/enterprise-wechat/handovers/{id}/acceptances", Role::Operator, Endpoint::HandoverAccept).own(),
    route("POST", "/api/enterprise-wechat/handovers/{id}/submit", Role::Operator, Endpoint::HandoverSubmit),
    route("POST", "/api/enterprise-wechat/handovers/{id}/cancel", Role::Operator, Endpoint::HandoverCancel),
    route("POST", "/api/enterprise-wechat/handovers/{id}/poll", Role::Operator, Endpoint::HandoverPoll),
    route("POST", "/api/enterprise-wechat/handovers/{id}/close", Role::Operator, Endpoint::HandoverClose),
    route("GET", "/api/enterprise-wechat/resignations", Role::Viewer, Endpoint::ResignationList),
    route("POST", "/api/enterprise-wechat/resignations", Role::Operator, Endpoint::ResignationAdd),
    route("GET", "/api/enterprise-wechat/resignations/{id}", Role::Viewer, Endpoint::ResignationShow),
    route("POST", "/api/enterprise-wechat/resignations/{id}/approve", Role::Admin, Endpoint::ResignationApprove),
    route("POST", "/api/enterprise-wechat/resignations/{id}/refuse", Role::Admin, Endpoint::ResignationRefuse),
    route("POST", "/api/enterprise-wechat/resignations/{id}/cancel", Role::Operator, Endpoint::ResignationCancel),
    route("POST", "/api/enterprise-wechat/transfer", Role::Operator, Endpoint::TransferMake),
    route("GET", "/api/enterprise-wechat/transfer-history", Role::Viewer, Endpoint::TransferHistory).own(),
    route("GET", "/api/enterprise-wechat/media/{id}", Role::Viewer, Endpoint::MediaShow).own(),
    route("GET", "/api/enterprise-wechat/tasks", Role::Viewer, Endpoint::TaskList),
    route("POST", "/api/enterprise-wechat/tasks/{id}/replay", Role::Operator, Endpoint::TaskReplay),
    route("POST", "/api/enterprise-wechat/tasks/{id}/cancel", Role::Operator, Endpoint::TaskCancel),
    // Making a link keeps its one-time state, so it is no GET: those may be repeated or fetched ahead by anybody.
    route("POST", "/api/enterprise-wechat/staff-bind/login", Role::Operator, Endpoint::StaffBindLogin),
    // A staff member's browser comes here from WeCom: it has no token, but the state of a link that was made for it.
    public("GET", "/api/enterprise-wechat/staff-bind/login/callback", Endpoint::StaffBindLoginCallback),
    route("POST", "/api/enterprise-wechat/test-connection", Role::Admin, Endpoint::TestConnection),
    route("GET", "/api/enterprise-wechat/work-orders", Role::Viewer, Endpoint::WorkOrderList).own(),
    route("POST", "/api/enterprise-wechat/work-orders", Role::Operator, Endpoint::WorkOrderAdd),
    route("GET", "/api/enterprise-wechat/work-orders/{id}", Role::Viewer, Endpoint::WorkOrderShow).own(),
    route("PATCH", "/api/enterprise-wechat/work-orders/{id}", Role::Operator, Endpoint::WorkOrderChange).own(),
    route("GET", "/api/enterprise-wechat/staff-duty", Role::Viewer, Endpoint::StaffDutyList).own(),
    route("POST", "/api/enterprise-wechat/staff-duty", Role::Operator, Endpoint::StaffDutySet).own(),
    route("POST", "/api/enterprise-wechat/customer-contact", Role::Operator, Endpoint::CustomerContactMake).own(),
    route("GET", "/api/enterprise-wechat/customer-contact-qr/{state}", Role::Viewer, Endpoint::CustomerContactQr).own(),
    route("GET", "/api/enterprise-wechat/customer-matches", Role::Viewer, Endpoint::CustomerMatchList),
    route("POST", "/api/enterprise-wechat/customer-matches/{id}", Role::Operator, Endpoint::CustomerMatchDecide),
    route("POST", "/api/enterprise-wechat/contact-records", Role::Operator, Endpoint::ContactRecordAdd).own(),
    route("GET", "/api/enterprise-wechat/access-log", Role::Admin, Endpoint::AccessLogList),
    route("GET", "/api/enterprise-wechat/api-tokens", Role::Admin, Endpoint::ApiTokenList),
    route("POST", "/api/enterprise-wechat/api-tokens", Role::Admin, Endpoint::ApiTokenAdd),
    route("DELETE", "/api/enterprise-wechat/api-tokens/{id}", Role::Admin, Endpoint::ApiTokenRevoke),
    route("GET", "/api/enterprise-wechat/session", Role::Viewer, Endpoint::SessionShow).caller(),
    route("POST", "/api/enterprise-wechat/session", Role::Viewer, Endpoint::SessionMake).caller(),
    route("DELETE", "/api/enterprise-wechat/session", Role::Viewer, Endpoint::SessionEnd).caller(),
    // A browser that is not logged in yet has nothing to show but what the redirect gave it.
    public("GET", "/api/enterprise-wechat/session/login", Endpoint::SessionLogin),
    public("GET", "/api/enterprise-wechat/session/login/callback", Endpoint::SessionLoginCallback),
    route("GET", "/api/enterprise-wechat/sessions", Role::Admin, Endpoint::SessionList),
    route("DELETE", "/api/enterprise-wechat/sessions/{id}", Role::Admin, Endpoint::SessionEndOther),
    route("GET", "/api/enterprise-wechat/console-users", Role::Admin, Endpoint::ConsoleUserList),
    route("PUT", "/api/enterprise-wechat/console-users/{userid}", Role::Admin, Endpoint::ConsoleUserPut),
    route("DELETE", "/api/enterprise-wechat/console-users/{userid}", Role::Admin, Endpoint::ConsoleUserRemove),
    route("GET", "/api/enterprise-wechat/sync", Role::Viewer, Endpoint::SyncList),
    route("POST", "/api/enterprise-wechat/sync", Role::Operator, Endpoint::SyncStart),
    route("GET", "/api/enterprise-wechat/sync/{id}", Role::Viewer, Endpoint::SyncShow),
    route("POST", "/api/enterprise-wechat/sync/{id}/cancel", Role::Operator, Endpoint::SyncCancel),
    route("GET", "/api/enterprise-wechat/reports/{name}", Role::Viewer, Endpoint::ReportShow).own(),
    route("GET", "/api/enterprise-wechat/customers/{id}/export", Role::Admin, Endpoint::CustomerExport),
    route("DELETE", "/api/enterprise-wechat/customers/{id}", Role::Admin, Endpoint::CustomerErase),
    route("GET", "/api/enterprise-wechat/erasures", Role::Admin, Endpoint::ErasureList),
    route("GET", "/api/enterprise-wechat/erasures/{id}", Role::Admin, Endpoint::ErasureShow),
];

/// A route that a request goes to.
#[derive(Debug)]
pub(super) struct Found {
    /// The route.
    pub(super) route: &'static Route,
    /// What its path's parameter stands for, decoded; empty if it has none.
    pub(super) id: String,
}

/// Finds the route of a request.
pub(super) fn find(method: &str, path: &str) -> Result<Found, Problem> {
    let Ok(matched) = PATHS.at(path) else {
        return Err(Problem::new(Code::NotFound, "the admin API's paths begin with /api/enterprise-wechat/"));
    };
    let here = || ROUTES.iter().filter(|route| route.path == *matched.value);
    let Some(route) = here().find(|route| route.method == method) else {
        let allowed = here().map(|route| route.method).collect::<Vec<_>>().join(", ");
        let problem = Problem::new(Code::MethodNotAllowed, format!("this path takes {allowed}"));
        return Err(problem.with_header("allow", allowed));
    };
    let id = match matched.params.iter().next() {
        Some((name, raw)) => {
            decode(raw).ok_or_else(|| Problem::parameter(name, "must be percent-encoded UTF-8 text"))?
        }
        None => String::new(),
    };
    Ok(Found { route, id })
}

/// The patterns, each once.
static PATHS: LazyLock<Router<&'static str>> = LazyLock::new(|| {
    let mut paths: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    let mut router = Router::new();
    for path in paths {
        router.insert(path, path).expect("the table's patterns are ours, and a test walks them");
    }
    router
});

const fn route(method: &'static str, path: &'static str, role: Role, endpoint: Endpoint) -> Route {
    Route { method, path, access: Access::Role(role), scoped: Scoped::Closed, endpoint }
}

const fn public(method: &'static str, path: &'static str, endpoint: Endpoint) -> Route {
    Route { method, path, access: Access::Public, scoped: Scoped::Closed, endpoint }
}

impl Route {
    /// The endpoint keeps to what is the caller's own, where a caller sees that alone.
    const fn own(self) -> Self {
        Self { scoped: Scoped::Own, ..self }
    }

    /// It is about nobody but the caller, who may see their own alone or everything.
    const fn caller(self) -> Self {
        Self { scoped: Scoped::Caller, ..self }
    }
}

/// Percent-decodes a path's segment. A zero byte is no text that could be looked for.
fn decode(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => (hex_digit(*high)? << 4 | hex_digit(*low)?, tail),
            (b'%', _) => return None,
            (other, tail) => (*other, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_found_by_its_own_path_and_none_stands_twice() {
        let mut met = BTreeSet::new();
        for route in ROUTES {
            assert!(met.insert((route.method, route.path)), "{} {} stands twice", route.method, route.path);
            let path = route.path.replace("{customerId}", "C%2F7").replace("{id}", "C%2F7").replace("{state}", "C%2F7");
            let path = path.replace("{name}", "C%2F7").replace("{userid}", "C%2F7");
            let found = find(route.method, &path).expect(route.path);
            assert_eq!(found.route.endpoint, route.endpoint);
            assert_eq!(found.id, if route.path.contains('{') { "C/7" } else { "" });
        }
    }

    #[test]
    fn changing_anything_asks_for_more_than_a_viewer() {
        // Logging oneself in and out changes nothing but that.
        let own = [Endpoint::SessionMake, Endpoint::SessionEnd];
        for route in ROUTES.iter().filter(|it| it.method != "GET" && !own.contains(&it.endpoint)) {
            let more = matches!(route.access, Access::Role(role) if role > Role::Viewer);
            assert!(more, "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn only_logins_need_no_token() {
        let public: Vec<_> = ROUTES.iter().filter(|it| it.access == Access::Public).map(|it| it.endpoint).collect();
        let logins = [Endpoint::StaffBindLoginCallback, Endpoint::SessionLogin, Endpoint::SessionLoginCallback];
        assert_eq!(public, logins);
    }

    #[test]
    fn a_path_that_exists_says_which_methods_it_takes() {
        let problem = find("PATCH", "/api/enterprise-wechat/staff-bind").expect_err("no such method");
        assert_eq!(problem.code(), Code::MethodNotAllowed);
        assert_eq!(problem.to_string(), "this path takes GET, POST, DELETE");
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in ["/", "/api/enterprise-wechat", "/api/enterprise-wechat/config/", "/console", ""] {
            assert_eq!(find("GET", path).expect_err(path).code(), Code::NotFound);
        }
    }

    #[test]
    fn a_parameter_that_is_no_text_is_refused_by_name() {
        for raw in ["%", "%4", "%zz", "%ff", "a%00b"] {
            let path = format!("/api/enterprise-wechat/customer-contact/{raw}");
            assert_eq!(find("GET", &path).expect_err(raw).named(), Some("customerId"));
        }
        assert_eq!(decode("%E5%BC%A0+1").as_deref(), Some("张+1"));
    }
}
