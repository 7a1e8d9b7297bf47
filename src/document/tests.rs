//! Strict reading of both formats: accepted and refused documents.

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Element {
    Element::parse(text).expect("a document")
}

/// Every field that a scan visits, in brackets if its text had to be copied.
fn scanned(text: &str) -> Result<Vec<String>, DocumentError> {
    let mut fields = Vec::new();
    scan(text, |name, value| {
        fields.push(match value {
            Cow::Borrowed(value) => format!("{name}={value}"),
            Cow::Owned(value) => format!("({name}={value})"),
        });
        ControlFlow::Continue(())
    })?;
    Ok(fields)
}

#[test]
fn xml_and_json_of_the_same_names_read_alike() {
    let xml =
        "\u{feff}<?xml version=\"1.0\"?><xml><AgentID>7</AgentID><To><Id>a</Id></To><Tag>x</Tag><Tag>y</Tag></xml>";
    let json = r#"{"agentid": 7, "to": {"id": "a"}, "tag": ["x", "y"], "none": null, "empty": []}"#;
    for text in [xml, json] {
        let root = parsed(text);
        assert_eq!(root.number_of("AgentId"), Some(7));
        assert_eq!(root.child("TO").and_then(|to| to.text_of("ID")), Some("a"));
        assert_eq!(root.all("tag").map(|tag| tag.text.as_str()).collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(root.text_of("none"), None);
        assert_eq!(root.text_of("empty"), None);
    }
}

#[test]
fn text_pieces_are_joined_and_blanks_are_kept_only_on_request() {
    let root = parsed("<x><A> a<![CDATA[<b>\0]]>&amp;&#x4e2d;&#0;&#xD800; </A><B/><C>twelve</C></x>");
    assert_eq!(root.raw_text_of("A"), Some(" a<b>&中\u{fffd}\u{fffd} "));
    assert_eq!(root.text_of("A"), Some("a<b>&中\u{fffd}\u{fffd}"));
    assert_eq!(root.text_of("B"), Some(""));
    assert_eq!(root.number_of::<u32>("B"), None);
    assert_eq!(root.number_of::<u32>("C"), None);
}

#[test]
fn the_first_of_two_fields_with_one_name_counts() {
    assert_eq!(parsed("<x><A>1</A><A>2</A></x>").text_of("A"), Some("1"));
    assert_eq!(parsed(r#"{"A":1,"a":2}"#).text_of("A"), Some("1"));
}

#[test]
fn a_scan_borrows_text_fields_and_skips_nested_elements() {
    let xml = "<xml>\n<A>\n<![CDATA[one]]></A><L><Item>2</Item></L><B>&lt; 3</B><C/></xml>";
    let json = r#"{"A":" one ","L":{"Item":2},"B":"\u003c 3","C":""}"#;
    for text in [xml, json] {
        assert_eq!(scanned(text).expect("a document"), ["A=one", "(B=< 3)", "C="]);
    }
}

#[test]
fn a_scan_that_is_stopped_does_not_look_at_the_rest() {
    for text in ["<x><A>1</A><B>2</B><broken", r#"{"A":1,"B":2,broken"#] {
        let mut seen = Vec::new();
        let result = scan(text, |name, _| {
            seen.push(name.to_owned());
            if name == "B" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((result, seen), (Ok(()), vec!["A".to_owned(), "B".to_owned()]));
        assert!(scanned(text).is_err());
    }
}

#[test]
fn hostile_and_broken_documents_are_refused() {
    let nested = |open: &str, close: &str, levels| open.repeat(levels) + &close.repeat(levels);
    let laughs = r#"<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>"#;
    assert_eq!(Element::parse(laughs), Err(DocumentError::Doctype));
    assert_eq!(Element::parse("<x><!DOCTYPE y></x>"), Err(DocumentError::Doctype));
    assert_eq!(Element::parse(" \n"), Err(DocumentError::Empty));
    assert_eq!(Element::parse(&"<".repeat(TEXT_BYTES_MAX + 1)), Err(DocumentError::TooLarge));
    assert_eq!(Element::parse(&format!("<x>{}</x>", "<i/>".repeat(ELEMENTS_MAX))), Err(DocumentError::TooLarge));
    assert_eq!(Element::parse(&format!("{{\"a\":[{}0]}}", "0,".repeat(ELEMENTS_MAX))), Err(DocumentError::TooLarge));
    assert!(Element::parse(&nested("<x>", "</x>", DEPTH_MAX)).is_ok());
    assert_eq!(Element::parse(&nested("<x>", "</x>", DEPTH_MAX + 1)), Err(DocumentError::TooDeep));
    assert_eq!(Element::parse(&nested("<x>", "</x>", 100_000)), Err(DocumentError::TooDeep));
    for opened in [r#"{"a":"#, "[", r#"[{"a":"#] {
        assert_eq!(Element::parse(&format!("{{\"a\":{}", opened.repeat(100_000))), Err(DocumentError::TooDeep));
    }
    let xml = "<x>|<x><a></x>|<x/><y/>|<x/>junk|<x/><![CDATA[junk]]>|<x></x></x>|<x>&no;</x>|<x>a & b</x>|<x|<!---->";
    let json = r#"text|[1]|{|{"a":1}{}|{"a":tru}|{"a" 1}"#;
    for broken in xml.split('|').chain(json.split('|')) {
        assert!(matches!(Element::parse(broken), Err(DocumentError::Malformed(_))), "{broken}");
        assert!(matches!(scanned(broken), Err(DocumentError::Malformed(_))), "{broken}");
    }
}

#[test]
fn an_error_never_repeats_what_the_document_says() {
    for secret in ["<x><a>s3cret</b></x>", r#"{"a":"s3cret""#, "<x>&s3cret;</x>", "<x><s3cret></x>"] {
        let error = Element::parse(secret).expect_err("a broken document");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in r#"([<>/&;!\[\]{}":,\x00 a-cé]|<a>|</a>|<!\[CDATA\[|\]\]>|&#|"a":)*"#) {
        for text in [text.clone(), format!("<{text}"), format!("{{{text}"), format!("<x>{text}</x>")] {
            let fields = scanned(&text);
            if let Ok(root) = Element::parse(&text) {
                let leaves = root.children.iter().filter(|child| child.children.is_empty()).count();
                prop_assert_eq!(fields.map(|fields| fields.len()), Ok(leaves));
            }
        }
    }
}
