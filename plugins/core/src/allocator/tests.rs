use super::*;
use crate::server::Config;
use chainplate_sdk::native;
use serde_json::json;

fn shared(range: &str) -> Shared {
    native::reset();
    Shared::new(Config::read(&json!({ "serviceClusterIPRange": range })).unwrap())
}

fn owner(name: &str) -> Owner {
    Owner { namespace: "n".into(), name: name.into(), dry_run: false }
}

fn service(spec: Value) -> Value {
    json!({ "metadata": { "name": "s", "namespace": "n" }, "spec": spec })
}

fn cluster_service() -> Value {
    service(json!({ "type": "ClusterIP", "ipFamilies": ["IPv4"], "ports": [] }))
}

#[test]
fn a_range_is_read_strictly() {
    let range: Cidr = "10.0.0.7/24".parse().unwrap();
    assert_eq!(range.to_string(), "10.0.0.0/24");
    assert_eq!(range.size(), 256);
    assert_eq!(range.static_band(), 16);
    assert_eq!(range.first().to_string(), "10.0.0.1");
    assert!(!range.is_usable(0) && !range.is_usable(255) && range.is_usable(254));
    assert_eq!(range.offset("10.0.0.9".parse().unwrap()), Some(9));
    assert_eq!(range.offset("10.0.1.0".parse().unwrap()), None);
    for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/30", "ten/8", "10.0.0.0/-1"] {
        assert!(text.parse::<Cidr>().is_err(), "{text}");
    }
    assert_eq!("fd00::/108".parse::<Cidr>().unwrap().size(), 1 << 20);
}

#[test]
fn every_service_gets_another_address_until_there_is_none() {
    let shared = shared("10.0.0.0/28");
    let claims = Claims::addresses(&shared).unwrap();
    let range = shared.config.service_ranges[0];
    let mut seen = std::collections::BTreeSet::new();
    for index in 0..14 {
        assert!(seen.insert(any(&claims, &owner(&format!("s{index}")), &range).unwrap()));
    }
    assert_eq!(any(&claims, &owner("late"), &range).unwrap_err().code(), 500);
}

#[test]
fn an_address_that_is_taken_is_refused() {
    let shared = shared("10.0.0.0/24");
    let mut first =
        service(json!({ "type": "ClusterIP", "ipFamilies": ["IPv4"], "clusterIPs": ["10.0.0.9"] }));
    addresses(&shared, &owner("a"), &mut first, None).unwrap();
    assert_eq!(first["spec"]["clusterIP"], "10.0.0.9");
    let refused = addresses(&shared, &owner("b"), &mut first.clone(), None).unwrap_err();
    assert_eq!(refused.code(), 422);
    assert!(refused.message().ends_with("failed to allocate IP 10.0.0.9: provided IP is already allocated"));
    let mut outside =
        service(json!({ "type": "ClusterIP", "ipFamilies": ["IPv4"], "clusterIPs": ["198.51.100.1"] }));
    let refused = addresses(&shared, &owner("b"), &mut outside, None).unwrap_err();
    assert!(refused.message().ends_with("the provided network does not match the current range"));
    addresses(&shared, &owner("a"), &mut first.clone(), Some(&first)).unwrap();
}

#[test]
fn what_is_given_back_can_be_had_again() {
    let shared = shared("10.0.0.0/24");
    let claims = Claims::addresses(&shared).unwrap();
    assert_eq!(claims.take(&owner("a"), "10.0.0.9").unwrap(), Taken::Yes);
    claims.release(&owner("other"), "10.0.0.9").unwrap();
    assert_eq!(claims.take(&owner("b"), "10.0.0.9").unwrap(), Taken::ByAnother);
    claims.release(&owner("a"), "10.0.0.9").unwrap();
    assert_eq!(claims.take(&owner("b"), "10.0.0.9").unwrap(), Taken::Yes);
}

#[test]
fn headless_services_and_names_get_nothing() {
    let shared = shared("10.0.0.0/24");
    for spec in [
        json!({ "type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv4"] }),
        json!({ "type": "ExternalName", "externalName": "e" }),
    ] {
        let mut object = service(spec);
        let before = object.clone();
        addresses(&shared, &owner("a"), &mut object, None).unwrap();
        assert_eq!(object, before);
    }
}

#[test]
fn a_dry_run_takes_nothing() {
    let shared = shared("10.0.0.0/24");
    let dry = Owner { dry_run: true, ..owner("a") };
    let mut object = cluster_service();
    addresses(&shared, &dry, &mut object, None).unwrap();
    let ip = object["spec"]["clusterIP"].as_str().unwrap().to_owned();
    assert_eq!(Claims::addresses(&shared).unwrap().take(&owner("b"), &ip).unwrap(), Taken::Yes);
}

#[test]
fn ports_of_one_number_serve_two_protocols_of_one_service() {
    let shared = shared("10.0.0.0/24");
    let mut object = service(json!({ "type": "NodePort", "ports": [
        { "protocol": "TCP", "nodePort": 30080 }, { "protocol": "UDP", "nodePort": 30080 }, { "protocol": "TCP" },
    ] }));
    ports::allocate(&shared, &owner("a"), &mut object, None).unwrap();
    let third = object["spec"]["ports"][2]["nodePort"].as_u64().unwrap();
    assert!((30086..=32767).contains(&third));
    let taken = ports::allocate(&shared, &owner("b"), &mut object.clone(), None).unwrap_err();
    assert!(
        taken
            .message()
            .contains("spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated")
    );
    let mut outside = service(json!({ "type": "NodePort", "ports": [{ "nodePort": 80 }] }));
    let refused = ports::allocate(&shared, &owner("b"), &mut outside, None).unwrap_err();
    assert!(refused.message().ends_with("The range of valid ports is 30000-32767"));
    ports::release(&shared, &owner("a"), &object).unwrap();
    ports::allocate(&shared, &owner("b"), &mut object, None).unwrap();
}

#[test]
fn a_service_that_is_refused_takes_nothing() {
    let shared = shared("10.0.0.0/24");
    Claims::ports(&shared).unwrap().take(&owner("other"), "30080").unwrap();
    let spec = json!({ "type": "NodePort", "ipFamilies": ["IPv4"], "ports": [{ "nodePort": 30090 }, { "nodePort": 30080 }] });
    let mut object = service(spec);
    assert_eq!(take(&shared, &owner("s"), &mut object, None).unwrap_err().code(), 422);
    let ip = object["spec"]["clusterIP"].as_str().unwrap();
    assert_eq!(Claims::addresses(&shared).unwrap().take(&owner("b"), ip).unwrap(), Taken::Yes);
    assert_eq!(Claims::ports(&shared).unwrap().take(&owner("b"), "30090").unwrap(), Taken::Yes);

    let services = shared.named("", "v1", "services").unwrap();
    services.create(Some("n"), "s", br#"{"metadata":{"name":"s","namespace":"n"}}"#).unwrap();
    let twice = take(&shared, &owner("s"), &mut cluster_service(), None).unwrap_err();
    assert_eq!((twice.code(), twice.reason()), (409, "AlreadyExists"));
}
