//! Every route of the admin API, joined from the slices; and the look-up of a request's route.

use std::{collections::BTreeMap, sync::LazyLock};

use matchit::Router;
use serde_json::Value;

use crate::admin::{
    access, apps, customers, deliveries, handovers, orders, reports,
    spec::{
        problem::{Code, Problem},
        route::Route,
    },
    staff,
};

/// Every route, slice by slice.
pub static ROUTES: LazyLock<Vec<&'static Route>> = LazyLock::new(|| {
    let slices = [
        apps::ROUTES,
        staff::ROUTES,
        customers::ROUTES,
        orders::ROUTES,
        handovers::ROUTES,
        deliveries::ROUTES,
        reports::ROUTES,
        access::ROUTES,
    ];
    slices.concat()
});

/// The examples of each slice, as JSON.
const EXAMPLE_TEXTS: [&str; 8] = [
    apps::EXAMPLES,
    staff::EXAMPLES,
    customers::EXAMPLES,
    orders::EXAMPLES,
    handovers::EXAMPLES,
    deliveries::EXAMPLES,
    reports::EXAMPLES,
    access::EXAMPLES,
];

/// Every example, by the id of its route.
static EXAMPLES: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    // A test reads each text, so none is left out here.
    EXAMPLE_TEXTS.into_iter().flat_map(|text| read_examples(text).unwrap_or_default()).collect()
});

fn read_examples(text: &str) -> serde_json::Result<BTreeMap<String, Value>> {
    serde_json::from_str(text)
}

/// An example of a route: its `request`, or the answer of a status.
pub(super) fn example(route: &Route, of: &str) -> Option<&'static Value> {
    EXAMPLES.get(route.id)?.get(of)
}

/// A request's route.
#[derive(Debug)]
pub struct Found {
    /// The route.
    pub route: &'static Route,
    /// The decoded value of its path parameter; empty if it has none.
    pub id: String,
}

/// Finds the route of a request.
pub fn find(method: &str, path: &str) -> Result<Found, Problem> {
    let Ok(matched) = PATHS.at(path) else {
        return Err(Problem::new(
            Code::NotFound,
            (
                "the admin API's paths begin with /api/enterprise-wechat/",
                "管理 API 的路径以 /api/enterprise-wechat/ 开头",
            ),
        ));
    };
    let here = || ROUTES.iter().copied().filter(|route| route.path == *matched.value);
    let Some(route) = here().find(|route| route.method == method) else {
        let allowed = here().map(|route| route.method).collect::<Vec<_>>().join(", ");
        let problem = Problem::new(
            Code::MethodNotAllowed,
            (format!("this path takes {allowed}"), format!("该路径支持 {allowed}")),
        );
        return Err(problem.with_header("allow", allowed));
    };
    let id = match matched.params.iter().next() {
        Some((name, raw)) => decode(raw).ok_or_else(|| {
            Problem::parameter(name, ("must be percent-encoded UTF-8 text", "须为百分号编码的 UTF-8 文本"))
        })?,
        None => String::new(),
    };
    Ok(Found { route, id })
}

/// The patterns, each once.
static PATHS: LazyLock<Router<&'static str>> = LazyLock::new(|| {
    let mut paths: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut router = Router::new();
    for path in paths {
        router.insert(path, path).expect("the table's patterns are ours, and a test walks them");
    }
    router
});

/// Percent-decodes a path's segment. A text with a zero byte cannot be looked up.
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
    use crate::admin::{door::auth::Role, spec::route::Access};

    #[test]
    fn every_route_is_found_by_its_path_and_none_is_duplicated() {
        let (mut met, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for route in ROUTES.iter() {
            assert!(met.insert((route.method, route.path)), "{route:?} stands twice");
            assert!(ids.insert(route.id), "two routes have the id {}", route.id);
            let path = route.path.replace("{customerId}", "C%2F7").replace("{id}", "C%2F7").replace("{state}", "C%2F7");
            let path = path.replace("{name}", "C%2F7").replace("{userid}", "C%2F7").replace("{chat_id}", "C%2F7");
            let found = find(route.method, &path).expect(route.path);
            assert_eq!(found.route.id, route.id);
            assert_eq!(found.id, if route.path.contains('{') { "C/7" } else { "" });
        }
    }

    #[test]
    fn every_example_belongs_to_a_route() {
        for text in EXAMPLE_TEXTS {
            let examples = read_examples(text).expect("a slice's examples.json is JSON");
            assert!(!examples.is_empty(), "a slice has no example");
            let unknown: Vec<_> = examples.keys().filter(|id| !ROUTES.iter().any(|it| it.id == id.as_str())).collect();
            assert!(unknown.is_empty(), "examples of no route: {unknown:?}");
        }
    }

    #[test]
    fn every_route_that_changes_something_needs_more_than_viewer() {
        // Logging oneself in and out changes nothing but that.
        let own = ["sessionMake", "sessionEnd"];
        for route in ROUTES.iter().filter(|it| it.method != "GET" && !own.contains(&it.id)) {
            let more = matches!(route.access, Access::Role(role) if role > Role::Viewer);
            assert!(more, "{route:?}");
        }
    }

    #[test]
    fn only_logins_need_no_token() {
        let public: Vec<_> =
            ROUTES.iter().filter(|it| matches!(it.access, Access::Public(_))).map(|it| it.id).collect();
        assert_eq!(public, ["staffBindLoginCallback", "sessionLogin", "sessionLoginCallback"]);
    }

    #[test]
    fn a_wrong_method_is_answered_with_the_allowed_methods() {
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
    fn a_path_parameter_that_is_not_text_is_refused_by_name() {
        for raw in ["%", "%4", "%zz", "%ff", "a%00b"] {
            let path = format!("/api/enterprise-wechat/customer-contact/{raw}");
            assert_eq!(find("GET", &path).expect_err(raw).named(), Some("customerId"));
        }
        assert_eq!(decode("%E5%BC%A0+1").as_deref(), Some("张+1"));
    }
}
