//! Tells cargo which files the program embeds, so that a new migration triggers a build.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=src/build.rs");
}
