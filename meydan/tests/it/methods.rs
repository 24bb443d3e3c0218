//! Every gRPC method has a policy: what the contracts define and what the tables list are the same.

use std::collections::BTreeSet;

use meydan_rpc::pb::DESCRIPTORS;
use prost_types::FileDescriptorSet;

#[test]
fn every_method_of_the_contracts_has_a_policy_and_no_policy_is_left_over() {
    let set: FileDescriptorSet = prost::Message::decode(DESCRIPTORS).expect("they are ours");
    let mut defined = BTreeSet::new();
    for file in set.file {
        let package = file.package().to_owned();
        for service in &file.service {
            for method in &service.method {
                defined.insert(format!("/{package}.{}/{}", service.name(), method.name()));
            }
        }
    }
    let tables = [
        crm::grpc::POLICIES,
        identity::grpc::POLICIES,
        bot_hub::grpc::POLICIES,
        audit::grpc::POLICIES,
    ];
    let listed = tables.into_iter().flatten().map(|(path, _)| (*path).to_owned());

    assert_eq!(listed.collect::<BTreeSet<_>>(), defined);
}
