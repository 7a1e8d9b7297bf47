//! The layers as a test: that no circle of imports is larger than two files, and that within `admin` the kernel knows no
//! slice, and a slice no other than those it may.
//!
//! It reads sources as text, as `tidy` does.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    support::source::{code_of, passed_on, paths},
    tidy::sources,
};

/// Two files may know each other; three are one file in pieces.
const CIRCLE_MAX: usize = 2;

/// The kernel of the admin API: it imports no slice.
const KERNEL: &[&str] = &["door", "spec", "reading"];

/// Which slices of the admin API may import which other ones.
const SLICES: &[(&str, &[&str])] = &[
    ("apps", &[]),
    ("staff", &[]),
    // A contact way may be made for an order.
    ("customers", &["orders"]),
    ("orders", &[]),
    ("handovers", &[]),
    ("deliveries", &[]),
    ("reports", &[]),
    ("access", &[]),
];

/// In the kernel, who joins the routes of all slices: how a request finds its route, and what describes them.
const JOINS_ROUTES: &[&str] = &["admin::door::admit", "admin::spec::openapi::document"];

/// The modules of a crate: each with the modules whose items it names.
struct Graph(BTreeMap<String, BTreeSet<String>>);

impl Graph {
    /// Reads it from sources, by their paths from the root of the repository.
    fn of(files: &[(String, String)]) -> Self {
        let modules: BTreeMap<String, String> =
            files.iter().filter_map(|(path, source)| Some((module(path)?, without_tests(&code_of(source))))).collect();
        let mut passed: BTreeMap<(String, String), String> = BTreeMap::new();
        for (module, code) in &modules {
            let segments: Vec<_> = module.split("::").collect();
            for (name, path) in passed_on(code, &segments) {
                passed.insert((module.clone(), name), path);
            }
        }
        let file_of = |path: &str| {
            let mut path = path.to_owned();
            for _ in 0..4 {
                let found = prefixes(&path).find(|it| modules.contains_key(*it))?.to_owned();
                let next = path.strip_prefix(&found)?.strip_prefix("::").and_then(|it| it.split("::").next());
                match next.and_then(|it| passed.get(&(found.clone(), it.to_owned()))) {
                    Some(onward) if *onward != path => path.clone_from(onward),
                    _ => return Some(found),
                }
            }
            None
        };
        let imports = |(module, code): (&String, &String)| {
            let segments: Vec<_> = module.split("::").collect();
            let named = paths(code, &segments).into_iter().filter_map(|path| file_of(&path));
            (module.clone(), named.filter(|it| it != module).collect())
        };
        Self(modules.iter().map(imports).collect())
    }

    /// Whom a module reaches, directly or by others.
    fn reached(&self, from: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&str> = self.0.get(from).into_iter().flatten().map(String::as_str).collect();
        while let Some(module) = next.pop() {
            if reached.insert(module) {
                next.extend(self.0.get(module).into_iter().flatten().map(String::as_str));
            }
        }
        reached
    }

    /// The circles: modules each of which reaches all others of its circle.
    fn circles(&self) -> Vec<BTreeSet<&str>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            self.0.keys().map(|module| (module.as_str(), self.reached(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, all) in &reached {
            let circle: BTreeSet<&str> =
                all.iter().copied().filter(|it| reached.get(it).is_some_and(|back| back.contains(module))).collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

#[test]
fn no_circle_of_imports_is_larger_than_two_files() {
    let graph = Graph::of(&sources(&["src"]));
    assert!(graph.0.len() > 250, "only {} modules were found", graph.0.len());
    let edges: usize = graph.0.values().map(BTreeSet::len).sum();
    assert!(edges > 1_000, "only {edges} imports were found");
    let large: Vec<_> = graph.circles().into_iter().filter(|it| it.len() > CIRCLE_MAX).collect();
    assert!(large.is_empty(), "these import each other in a circle: {large:#?}");
}

#[test]
fn the_admin_kernel_knows_no_slice_and_no_slice_another_one() {
    let graph = Graph::of(&sources(&["src"]));
    let broken: Vec<_> = graph.0.iter().flat_map(|(module, imported)| broken_layers(module, imported)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let slices: BTreeSet<_> = graph.0.keys().filter_map(|it| part_of_admin(it)).collect();
    for (slice, others) in SLICES {
        assert!(slices.contains(slice), "admin has no slice {slice}");
        for other in *others {
            let used = graph.0.iter().any(|(module, imported)| {
                part_of_admin(module) == Some(slice) && imported.iter().any(|it| part_of_admin(it) == Some(other))
            });
            assert!(used, "admin::{slice} may import admin::{other}, but does not");
        }
    }
}

#[test]
fn a_circle_is_found_through_children_and_what_is_passed_on() {
    let file = |path: &str, source: &str| (path.to_owned(), source.to_owned());
    let files = [
        file("src/a/mod.rs", "mod b;\nmod c;\npub use c::Thing;\n"),
        file("src/a/b.rs", "use super::Thing;\nfn f() { crate::d::g() }\n"),
        file("src/a/c.rs", "pub struct Thing;\nuse super::b::f;\n"),
        file("src/d.rs", "use crate::a::Thing;\n#[cfg(test)]\nmod tests { use crate::e::E; }\n"),
        file("src/e.rs", "use crate::d;\n"),
    ];
    let graph = Graph::of(&files);
    let circles = graph.circles();
    assert_eq!(circles, [BTreeSet::from(["a::b", "a::c", "d"])]);
}

#[test]
fn a_layer_that_is_broken_is_reported_with_the_rule() {
    let imports = |it: &str| BTreeSet::from([it.to_owned()]);
    let report = |module: &str, it: &str| broken_layers(module, &imports(it)).join("");
    assert_eq!(
        report("admin::door::call", "admin::orders::work_orders"),
        "admin::door::call imports admin::orders::work_orders: the kernel imports no slice"
    );
    assert_eq!(
        report("admin::staff::duty", "admin::access::session"),
        "admin::staff::duty imports admin::access::session: staff may import no other slice"
    );
    assert_eq!(report("admin::customers::contact", "admin::orders::work_orders"), "");
    assert_eq!(report("admin::staff::duty", "admin::door::call"), "");
    assert_eq!(
        report("admin::door::call", "admin::routes"),
        "admin::door::call imports admin::routes: only the entry and the description join the routes"
    );
    assert_eq!(report("admin::door::admit", "admin::routes"), "");
}

/// What a module imports against the layers of the admin API.
fn broken_layers(module: &str, imported: &BTreeSet<String>) -> Vec<String> {
    let Some(part) = part_of_admin(module) else { return Vec::new() };
    let allowed = SLICES.iter().find(|(slice, _)| *slice == part).map(|(_, others)| *others);
    let rule = |it: &String| {
        let other = part_of_admin(it)?;
        let kernel = KERNEL.contains(&part);
        if other == "routes" && kernel && !JOINS_ROUTES.contains(&module) {
            return Some("only the entry and the description join the routes".to_owned());
        }
        if other == part || !SLICES.iter().any(|(slice, _)| *slice == other) {
            return None;
        }
        match allowed {
            None if kernel => Some("the kernel imports no slice".to_owned()),
            Some(others) if !others.contains(&other) => {
                let which = if others.is_empty() { "no other slice".to_owned() } else { others.join(", ") };
                Some(format!("{part} may import {which}"))
            }
            _ => None,
        }
    };
    imported.iter().filter_map(|it| Some(format!("{module} imports {it}: {}", rule(it)?))).collect()
}

/// The part of `admin` that a module belongs to.
fn part_of_admin(module: &str) -> Option<&str> {
    module.strip_prefix("admin::")?.split("::").next()
}

/// The module of a source; none of the crate's own roots.
fn module(path: &str) -> Option<String> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    (!["lib", "main"].contains(&inside)).then(|| inside.replace('/', "::"))
}

/// The code before a module of tests.
fn without_tests(code: &str) -> String {
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// A path and all that it begins with, the longest first.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices("::").map(|(at, _)| at).collect::<Vec<_>>();
    std::iter::once(path).chain(ends.into_iter().rev().map(move |at| &path[..at]))
}
