//! CustomResourceDefinitions.

use super::counted;
use crate::{
    bench::{Bench, expect},
    client::{Call, Connection},
    report::Row,
    stats::Latencies,
};
use anyhow::{Context, Result, bail};
use http::StatusCode;
use serde_json::json;
use std::time::{Duration, Instant};

/// CRDs whose median counts.
const TIMED: usize = 20;
/// How often a custom resource is tried while its type is not served yet.
const POLL: Duration = Duration::from_millis(1);
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// From the creation of a CRD to its first stored custom resource; then memory of each of --crds.
///
/// # Errors
/// A request fails, or a type is not served in time.
pub(super) async fn crd(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    let mut connection = bench.connect().await?;
    let count = bench.options.crds;
    let group = |number: usize| format!("load{number}-{}.example.com", bench.run);
    let limit = Duration::from_secs(bench.options.request_limit);
    let mut latencies = Vec::new();
    for number in 0..TIMED {
        latencies.push(first_object(&mut connection, &group(number), limit).await?);
    }
    let row = Row::new("crd", format!("to first object, {TIMED} times"));
    report(row.latencies(&Latencies::new(latencies)));
    let before = bench.settled().await?;
    let meter = bench.meter()?;
    let started = Instant::now();
    for number in TIMED..TIMED + count {
        first_object(&mut connection, &group(number), limit).await?;
    }
    let (elapsed, cpu) = (started.elapsed(), bench.cpu_since(meter)?);
    let after = bench.settled().await?;
    let row = Row::new("crd", counted(count, "definition"))
        .growth("each in memory", before, after, count)
        .time("time for each", elapsed / count as u32);
    report(cpu.row(row, count).memory(after));
    if bench.program.is_none() {
        for number in 0..TIMED + count {
            let path = format!("{DEFINITIONS}/things.{}", group(number));
            connection.send(Call::delete(path)).await?;
        }
    }
    Ok(())
}

/// Creates a CRD and a first object of its type: how long that took together.
async fn first_object(connection: &mut Connection, group: &str, limit: Duration) -> Result<Duration> {
    let definition = definition(group);
    let object = format!(
        r#"{{"apiVersion":"{group}/v1","kind":"Thing","metadata":{{"name":"first"}},"spec":{{"replicas":3,"image":"registry.example.com/thing:1","ports":[{{"name":"http","port":80}}]}}}}"#
    );
    let path = format!("/apis/{group}/v1/namespaces/default/things");
    let started = Instant::now();
    connection.send(Call::post(DEFINITIONS, definition)).await?;
    loop {
        let status = connection.status(Call::post(path.as_str(), object.clone())).await?;
        // The path is not there until the type is served.
        if expect(status, StatusCode::NOT_FOUND).with_context(|| format!("POST {path}"))? {
            return Ok(started.elapsed());
        }
        if started.elapsed() > limit {
            bail!("{path} is still not served");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A CRD as operators have them: some fields, defaults, bounds, a list, printer columns, the status subresource.
fn definition(group: &str) -> String {
    let conditions = json!({
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object", "required": ["type", "status"],
            "properties": {
                "type": { "type": "string", "maxLength": 316 },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
                "reason": { "type": "string", "maxLength": 1024 },
                "message": { "type": "string", "maxLength": 32768 },
                "lastTransitionTime": { "type": "string", "format": "date-time" },
            },
        },
    });
    let spec = json!({
        "type": "object", "required": ["image"],
        "properties": {
            "replicas": { "type": "integer", "format": "int32", "minimum": 0, "default": 1 },
            "image": { "type": "string", "minLength": 1, "description": "The image that is run." },
            "paused": { "type": "boolean", "default": false },
            "strategy": { "type": "string", "enum": ["Recreate", "RollingUpdate"], "default": "RollingUpdate" },
            "selector": { "type": "object", "additionalProperties": { "type": "string" } },
            "ports": {
                "type": "array", "maxItems": 64,
                "items": {
                    "type": "object", "required": ["port"],
                    "properties": {
                        "name": { "type": "string", "pattern": "^[a-z0-9-]{1,15}$" },
                        "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
                        "protocol": { "type": "string", "default": "TCP" },
                    },
                },
            },
        },
    });
    let status = json!({
        "type": "object",
        "properties": { "readyReplicas": { "type": "integer" }, "conditions": conditions },
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("things.{group}") },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": { "plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": { "status": {} },
                "additionalPrinterColumns": [
                    { "name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas" },
                    { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
                ],
                "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": spec, "status": status } } },
            }],
        },
    })
    .to_string()
}
