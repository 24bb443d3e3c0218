//! The generated contracts. Their documentation is in the `.proto` files.
#![expect(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

/// `meydan.identity.v1`
pub mod identity {
    tonic::include_proto!("meydan.identity.v1");
}

/// `meydan.crm.v1`
pub mod crm {
    tonic::include_proto!("meydan.crm.v1");
}

/// `meydan.bot_hub.v1`
pub mod bot_hub {
    tonic::include_proto!("meydan.bot_hub.v1");
}

/// `meydan.audit.v1`
pub mod audit {
    tonic::include_proto!("meydan.audit.v1");
}

/// All contracts, for tests that enumerate methods.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/meydan.bin"));
