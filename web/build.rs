//! Has the crate compiled again when the assets were built again: their names hold a hash, so
//! new files come without a change to any that the compiler knows.

fn main() {
    println!("cargo::rerun-if-changed=dist");
}
