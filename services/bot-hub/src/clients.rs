//! Other services, in our own words.

pub mod crm;
