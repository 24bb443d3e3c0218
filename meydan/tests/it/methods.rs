//! Every gRPC method has a policy: what the contracts define and what the tables list are the same. And nothing is
//! served to whoever nobody vouches for.

use std::collections::BTreeSet;

use meydan_rpc::{
    caller::{Assertions, Caller},
    guard::Policies,
    pb::DESCRIPTORS,
};
use prost::bytes::Bytes;
use prost_types::FileDescriptorSet;
use time::{Duration, OffsetDateTime};
use tonic::{Code, Request, Status};

use crate::{raw::call, tenants::Ground};

/// The policies of every service, with its name.
pub(crate) const SERVICES: [(&str, Policies); 4] = [
    (identity::NAME, identity::grpc::POLICIES),
    (crm::NAME, crm::grpc::POLICIES),
    (bot_hub::NAME, bot_hub::grpc::POLICIES),
    (audit::NAME, audit::grpc::POLICIES),
];

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
    let tables = SERVICES.into_iter().flat_map(|(_, policies)| policies);
    let listed = tables.map(|(path, _)| (*path).to_owned());

    assert_eq!(listed.collect::<BTreeSet<_>>(), defined);
}

/// Calls a method of a service with an assertion, and says nothing.
async fn answered(
    ground: &Ground,
    service: &str,
    path: &'static str,
    assertion: Option<&str>,
) -> Result<Vec<u8>, Status> {
    let mut request = Request::new(Bytes::new());
    if let Some(assertion) = assertion {
        request.metadata_mut().insert("caller", assertion.parse().expect("ASCII"));
    }
    call(ground.foreign.dial(service).channel(), path, request).await
}

/// Calls every method with whatever is no assertion for its service now. With one that is, and whose caller may call
/// nothing, they learn that, so that nothing is done.
async fn believe_nobody(ground: &Ground) {
    let (keys, caller) = (&ground.foreign.keys, Caller::service(audit::NAME, None));
    for (service, policies) in SERVICES {
        let now = OffsetDateTime::now_utc();
        let others = SERVICES.into_iter().filter(|(other, _)| *other != service);
        let elsewhere = others.map(|(other, _)| (Some(keys.sign(other, &caller, now)), other));
        let wrong = [
            (None, "none"),
            (Some(String::new()), "an empty one"),
            (Some(keys.sign(service, &caller, now - Duration::minutes(2))), "an expired one"),
            (Some(keys.sign(service, &caller, now + Duration::minutes(2))), "one of later"),
            (Some(Assertions::generate().sign(service, &caller, now)), "a forged one"),
        ];
        let wrong = wrong.into_iter().chain(elsewhere).collect::<Vec<_>>();
        let right = keys.sign(service, &caller, now);
        for (path, _) in policies {
            for (assertion, what) in &wrong {
                let refused = answered(ground, service, path, assertion.as_deref()).await;
                let refused = refused.expect_err(path);
                assert_eq!(refused.code(), Code::Unauthenticated, "{path}, {what}: {refused:?}");
            }
            let denied = answered(ground, service, path, Some(&right)).await.expect_err(path);
            assert_eq!(denied.code(), Code::PermissionDenied, "{path}: {denied:?}");
        }
    }
}

/// Calls whatever no table of the service lists, without an assertion and with one.
async fn serve_nothing_else(ground: &Ground) {
    let unlisted = [
        "/",
        "/grpc.health.v2.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/meydan.identity.v1.Sessions/",
        "/meydan.identity.v1.Sessions/Nothing",
        "/meydan.nothing.v1.Nothing/Nothing",
    ];
    let keys = &ground.foreign.keys;
    for (service, _) in SERVICES {
        let caller = Caller::service(gateway::NAME, None);
        let right = keys.sign(service, &caller, OffsetDateTime::now_utc());
        let others = SERVICES.into_iter().filter(|(other, _)| *other != service);
        let others = others.flat_map(|(_, policies)| policies).map(|(path, _)| *path);
        for path in unlisted.into_iter().chain(others) {
            for assertion in [None, Some(right.as_str())] {
                let refused = answered(ground, service, path, assertion).await;
                let refused = refused.expect_err(path);
                assert_eq!(refused.code(), Code::PermissionDenied, "{service}: {path}");
            }
        }
        let well = answered(ground, service, "/grpc.health.v1.Health/Check", None).await;
        well.expect("whether it is well is told to everybody");
    }
}

#[tokio::test]
async fn every_method_asks_who_calls_and_beside_them_a_service_tells_that_it_is_well_and_no_more() {
    let ground = Ground::prepare().await;
    let before = ground.facts().await;

    believe_nobody(&ground).await;
    serve_nothing_else(&ground).await;

    assert_eq!(ground.facts().await, before, "something was written");
}
