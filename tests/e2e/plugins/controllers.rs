//! A resource with behaviour: the host wakes its component.

use super::{kubectl, server_with};
use crate::support::{SOON, Server};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const GRANTS: &str = "  grants:
    groups: [web.example.com]
    resources:
    - {apiGroups: [web.example.com], resources: [websites, websites/status], verbs: [get, patch]}
    - {apiGroups: [apps], resources: [deployments], verbs: [get, watch, patch]}
    - {apiGroups: [''], resources: [configmaps, services], verbs: [get, patch]}";

async fn until(server: &Server, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + SOON;
    loop {
        let answer = server.send("GET", path, "").await;
        if answer.code == 200 && holds(&answer.json()) {
            return answer.json();
        }
        assert!(Instant::now() < deadline, "{path}: {}\n{}", answer.text(), server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/default/deployments/site";
const WEBSITE: &str = "/apis/web.example.com/v1/namespaces/default/websites/site";

#[tokio::test(flavor = "multi_thread")]
async fn a_website_gets_its_servers_and_follows_them_through_a_reload() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with(directory.path(), "websites", GRANTS);
    let site = "apiVersion: web.example.com/v1
kind: Website
metadata: {name: site, namespace: default}
spec: {host: site.example.com, replicas: 2, source: {inline: {html: <p>hello</p>}}}
";
    let (made, said) = kubectl(&server, &["apply", "-f", "-"], site);
    assert!(made && said.contains("website.web.example.com/site created"), "{said}");
    let deployment = until(&server, DEPLOYMENT, |it| it["spec"]["replicas"] == 2).await;
    assert_eq!(deployment["metadata"]["ownerReferences"][0]["kind"], "Website");
    until(&server, "/api/v1/namespaces/default/configmaps/site", |it| {
        it["data"]["index.html"] == "<p>hello</p>"
    })
    .await;
    until(&server, WEBSITE, |it| it["status"]["conditions"][0]["status"] == "False").await;

    let (scaled, said) = kubectl(&server, &["scale", "website", "site", "--replicas=3"], "");
    assert!(scaled, "{said}");
    until(&server, DEPLOYMENT, |it| it["spec"]["replicas"] == 3).await;

    // The one that is woken after a reload is the new chain's.
    assert_eq!(server.send("POST", "/debug/chain/reload", "").await.code, 200);
    let ready = json!({"status": {"replicas": 3, "readyReplicas": 3, "availableReplicas": 3}}).to_string();
    let path = format!("{DEPLOYMENT}/status");
    let patched = server.send_as("PATCH", &path, "application/merge-patch+json", ready).await;
    assert_eq!(patched.code, 200, "{}", patched.text());
    until(&server, WEBSITE, |it| it["status"]["conditions"][0]["status"] == "True").await;
    let listed = String::from_utf8_lossy(&server.kubectl(&["get", "ws"]).stdout).into_owned();
    assert!(listed.contains("NAME") && listed.contains("READY") && listed.contains("True"), "{listed}");
    let metrics = server.send("GET", "/metrics", "").await.text();
    assert!(
        metrics.contains("chainplate_plugin_reconcile_duration_seconds_count{plugin=\"websites\""),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn older_versions_are_served_from_the_same_objects() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with(directory.path(), "websites", GRANTS);
    let site = json!({
        "apiVersion": "web.example.com/v1", "kind": "Website", "metadata": {"name": "site"},
        "spec": {"host": "site.example.com", "source": {"git": {"url": "https://git.example.com/a"}}},
    });
    let websites = "/apis/web.example.com/v1/namespaces/default/websites";
    let made = server.send("POST", websites, site.to_string()).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let older = server.send("GET", &WEBSITE.replace("/v1/", "/v1alpha1/"), "").await.json();
    assert_eq!(older["apiVersion"], "web.example.com/v1alpha1");
    let second = server.send("POST", websites, site.to_string().replace("\"site\"", "\"other\"")).await;
    assert_eq!(second.code, 409, "{}", second.text());
    let explained = server.kubectl(&["explain", "website.spec.replicas"]);
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.contains("How many servers there shall be"), "{explained}");
    let selected = server
        .send("GET", &format!("{websites}?fieldSelector=spec.host%3Dsite.example.com"), "")
        .await
        .json();
    assert_eq!(selected["items"].as_array().map(Vec::len), Some(1), "{selected}");
}
