//! How many files and connections the program may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Takes as many as the operator allows. Systems begin with 1,024, for programs older than this one; open
/// pages need a connection each.
pub fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
