use super::*;

fn parse(text: &str) -> Result<Document, String> {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), 1 << 20)
}

fn spliced(text: &str) -> String {
    String::from_utf8(parse(text).unwrap().splice(7).json.to_vec()).unwrap()
}

#[test]
fn resource_version_becomes_the_first_member_of_metadata() {
    assert_eq!(
        spliced(r#"{"kind":"A","apiVersion":"v1","metadata":{"name":"x"},"spec":{"metadata":{}}}"#),
        r#"{"kind":"A","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"x"},"spec":{"metadata":{}}}"#
    );
    assert_eq!(spliced(r#"{"metadata":{}}"#), r#"{"metadata":{"resourceVersion":"7"}}"#);
    assert_eq!(spliced(" { \"metadata\" : { } } "), " { \"metadata\" : {\"resourceVersion\":\"7\" } } ");
}

#[test]
fn metadata_is_found_behind_strings_that_look_like_it() {
    assert_eq!(
        spliced(r#"{"kind":"\"metadata\":{","apiVersion":"\\","metadata":{"a":"}"}}"#),
        r#"{"kind":"\"metadata\":{","apiVersion":"\\","metadata":{"resourceVersion":"7","a":"}"}}"#
    );
}

#[test]
fn members_are_put_in_order_and_a_given_resource_version_is_dropped() {
    assert_eq!(
        spliced(
            r#"{"data":{"a":[1,{}]},"kind":"A","metadata":{"uid":"u","resourceVersion":"3"},"apiVersion":"v1"}"#
        ),
        r#"{"kind":"A","apiVersion":"v1","metadata":{"resourceVersion":"7","uid":"u"},"data":{"a":[1,{}]}}"#
    );
    assert_eq!(
        spliced(r#"{"a":1,"metadata":{"resourceVersion":"3"}}"#),
        r#"{"metadata":{"resourceVersion":"7"},"a":1}"#
    );
}

#[test]
fn what_is_not_an_object_with_metadata_is_refused() {
    for (text, why) in [
        ("[]", "not a JSON object"),
        ("", "not a JSON object"),
        ("{}", "no metadata"),
        (r#"{"kind":"A"}"#, "no metadata"),
        (r#"{"metadata":null}"#, "metadata is not an object"),
        (r#"{"metadata":[]}"#, "metadata is not an object"),
        (r#"{"metadata":{},"metadata":{}}"#, "twice"),
        (r#"{"kind":"A","kind":"B","metadata":{}}"#, "twice"),
        (r#"{"metadata":{}"#, "ends at byte"),
        (r#"{"metadata":{}}}"#, "expected nothing more"),
        (r#"{"metadata":{},}"#, "a string"),
        (r#"{"metadata":{"a" 1}}"#, "':'"),
        (r#"{"metadata":{"a":1 "b":2}}"#, "','"),
        (r#"{"metadata":{},"a":01}"#, "','"),
        (r#"{"metadata":{},"a":1.}"#, "a digit"),
        (r#"{"metadata":{},"a":-}"#, "a digit"),
        (r#"{"metadata":{},"a":tru}"#, "a value"),
        (r#"{"metadata":{},"a":[1,]}"#, "a value"),
        (r#"{"metadata":{},"a":[1}"#, "end of an object or array"),
        (r#"{"metadata":{},"a":"\x"}"#, "an escape"),
        (r#"{"metadata":{},"a":"\u12g4"}"#, "an escape"),
        ("{\"metadata\":{},\"a\":\"\n\"}", "control character"),
        (r#"{"metadata":{},"a":"x"#, "end of a string"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    let error = Document::parse(Bytes::from_static(b"{\"metadata\":{\"a\":\"\xff\"}}"), 100).unwrap_err();
    assert!(error.contains("UTF-8"), "{error}");
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let nested =
        |levels: usize| format!("{{\"metadata\":{{}},\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(&nested(MAX_DEPTH - 1)).is_ok());
    assert!(parse(&nested(MAX_DEPTH)).unwrap_err().contains("deeper"));
}

#[test]
fn size_is_bounded() {
    let value = Bytes::from_static(b"{\"metadata\":{}}");
    assert!(Document::parse(value.clone(), value.len()).is_ok());
    assert!(Document::parse(value.clone(), value.len() - 1).unwrap_err().contains("the limit is 14"));
}

#[test]
fn every_cut_and_every_changed_byte_is_survived() {
    let text = br#"{"kind":"A","metadata":{"name":"x\u00e9\n"},"a":[1.5e-3,{"b":[null,true,false,-0]},""]}"#;
    for cut in 0..text.len() {
        assert!(Document::parse(Bytes::copy_from_slice(&text[..cut]), 1000).is_err());
        for byte in 0..=255 {
            let mut changed = text.to_vec();
            changed[cut] = byte;
            if let Ok(document) = Document::parse(Bytes::from(changed), 1000) {
                assert!(Layout::of(&document.splice(9).json).is_ok());
            }
        }
    }
}
