use super::*;

fn user(name: &str, groups: &[&str]) -> UserInfo {
    UserInfo {
        name: name.into(),
        groups: groups.iter().map(|&group| group.into()).collect(),
        ..UserInfo::default()
    }
}

fn info(method: &str, path: &str) -> RequestInfo {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    RequestInfo::parse(method, path, query).expect(path)
}

#[test]
fn the_403_is_worded_as_upstream_does() {
    for (method, path, message, details) in [
        (
            "GET",
            "/api/v1/namespaces/x/configmaps",
            r#"configmaps is forbidden: User "u" cannot list resource "configmaps" in API group "" in the namespace "x""#,
            r#"{"kind":"configmaps"}"#,
        ),
        (
            "GET",
            "/apis/apps/v1/namespaces/x/deployments/d/scale",
            r#"deployments.apps "d" is forbidden: User "u" cannot get resource "deployments/scale" in API group "apps" in the namespace "x""#,
            r#"{"group":"apps","kind":"deployments","name":"d"}"#,
        ),
        (
            "GET",
            "/api/v1/nodes",
            r#"nodes is forbidden: User "u" cannot list resource "nodes" in API group "" at the cluster scope"#,
            r#"{"kind":"nodes"}"#,
        ),
        (
            "PATCH",
            "/api/v1/namespaces/x",
            r#"namespaces "x" is forbidden: User "u" cannot patch resource "namespaces" in API group "" in the namespace "x""#,
            r#"{"kind":"namespaces","name":"x"}"#,
        ),
        (
            "DELETE",
            "/api/v1/namespaces/x/configmaps",
            r#"configmaps is forbidden: User "u" cannot deletecollection resource "configmaps" in API group "" in the namespace "x""#,
            r#"{"kind":"configmaps"}"#,
        ),
        ("POST", "/conf/a", r#"forbidden: User "u" cannot post path "/conf/a""#, "{}"),
        ("GET", "/a%3Cb%3E&", r#"forbidden: User "u" cannot get path "/a&lt;b&gt;&amp;""#, "{}"),
    ] {
        let status = forbidden(Attributes::of(&user("u", &[]), &info(method, path)), "");
        assert_eq!((status.code(), status.reason(), status.message()), (403, "Forbidden", message));
        let found = serde_json::Value::Object(status.details().expect("details").clone());
        assert_eq!(found, serde_json::from_str::<serde_json::Value>(details).expect("JSON"), "{path}");
    }
}

#[test]
fn a_reason_follows_the_text() {
    let status = forbidden(Attributes::of(&user("a\"b\n", &[]), &info("GET", "/x")), "because");
    assert_eq!(status.message(), r#"forbidden: User "a\"b\n" cannot get path "/x": because"#);
}

async fn allowed(authorizer: &dyn Authorizer, user: &UserInfo, method: &str, path: &str) -> bool {
    let verdict = authorizer.authorize(Attributes::of(user, &info(method, path))).await.expect("verdict");
    verdict.decision == Decision::Allow
}

fn union() -> Union {
    let paths = AlwaysAllowPaths::new(["/healthz", "/readyz", "/livez"]).expect("patterns");
    Union::new(vec![Arc::new(PrivilegedGroups), Arc::new(paths), Arc::new(BootstrapPaths::default())])
}

#[tokio::test]
async fn masters_may_do_all_and_others_what_the_bootstrap_roles_say() {
    let master = user("admin", &["system:masters", authn::AUTHENTICATED]);
    let somebody = user("u", &[authn::AUTHENTICATED]);
    let nobody = user(authn::ANONYMOUS, &[authn::UNAUTHENTICATED]);
    // path, somebody, nobody
    for (method, path, authenticated, anonymous) in [
        ("GET", "/healthz", true, true),
        ("POST", "/healthz", true, true),
        ("GET", "/healthz/ping", false, false),
        ("GET", "/version", true, true),
        ("GET", "/version/", true, true),
        ("POST", "/version", false, false),
        ("GET", "/api", true, false),
        ("GET", "/apis", true, false),
        ("GET", "/apis/apps", true, false),
        ("GET", "/openapi/v3", true, false),
        ("GET", "/apisx", false, false),
        ("GET", "/metrics", false, false),
        ("GET", "/", false, false),
        ("GET", "/api/v1/pods", false, false),
    ] {
        assert!(allowed(&union(), &master, method, path).await, "{path}");
        assert_eq!(allowed(&union(), &somebody, method, path).await, authenticated, "{method} {path}");
        assert_eq!(allowed(&union(), &nobody, method, path).await, anonymous, "{method} {path}");
    }
}

#[test]
fn patterns_end_in_a_star_or_have_none() {
    let paths = AlwaysAllowPaths::new(["/a", "b/*", "/"]).expect("patterns");
    for (path, has) in [("/a", true), ("/a/b", false), ("/b/c", true), ("/b", false), ("/", true)] {
        assert_eq!(paths.has(path), has, "{path}");
    }
    assert!(AlwaysAllowPaths::new(["/a*b"]).is_err());
    assert!(AlwaysAllowPaths::new(["**"]).is_err());
}

#[derive(Debug)]
struct Fixed(Result<Verdict, String>);

impl Authorizer for Fixed {
    fn authorize<'a>(&'a self, _: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
        Box::pin(async move { self.0.clone() })
    }
}

#[tokio::test]
async fn an_opinion_outweighs_an_error_before_it() {
    let error = || Arc::new(Fixed(Err("down".into()))) as Arc<dyn Authorizer>;
    let fixed =
        |decision| Arc::new(Fixed(Ok(Verdict { decision, reason: "r".into() }))) as Arc<dyn Authorizer>;
    let (somebody, path) = (user("u", &[]), info("GET", "/x"));
    let attributes = Attributes::of(&somebody, &path);
    for (members, expected) in [
        (vec![error(), fixed(Decision::Allow)], Ok(Decision::Allow)),
        (vec![error(), fixed(Decision::Deny), fixed(Decision::Allow)], Ok(Decision::Deny)),
        (vec![error(), fixed(Decision::NoOpinion)], Err("down".to_owned())),
        (vec![fixed(Decision::NoOpinion)], Ok(Decision::NoOpinion)),
        (vec![], Ok(Decision::NoOpinion)),
    ] {
        let verdict = Union::new(members).authorize(attributes).await;
        assert_eq!(verdict.map(|verdict| verdict.decision), expected);
    }
}
