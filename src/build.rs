//! Tells cargo what the program embeds, so that a new migration is never missed.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=src/build.rs");
}
