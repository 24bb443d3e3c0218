//! Whether somebody still reads what is written.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether the other end of a pipe was closed. What is no pipe is always read.
pub fn is_unread(output: impl AsFd) -> bool {
    let mut ends = [PollFd::new(&output, PollFlags::empty())];
    let now = Timespec::default();
    poll(&mut ends, Some(&now)).is_ok() && ends[0].revents().intersects(PollFlags::ERR)
}
