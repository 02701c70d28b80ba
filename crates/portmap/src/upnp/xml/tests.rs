use super::*;
use crate::upnp::mutation::mutants;

fn read(document: impl AsRef<[u8]>) -> Vec<(String, String)> {
    let elements = elements(document.as_ref()).unwrap();
    elements.into_iter().map(|element| (element.name, element.text)).collect()
}

fn leaf(document: impl AsRef<[u8]>, name: &str) -> Option<String> {
    read(document).into_iter().find(|(found, _)| found == name).map(|(_, text)| text)
}

#[test]
fn elements_come_in_the_order_of_their_start_tags() {
    let names: Vec<_> = read("<a><b>1</b><c/></a><d>2</d>").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
}

#[test]
fn text_belongs_to_the_innermost_element_and_is_trimmed() {
    let found = read("<a> x <b>\r\n 1 </b> y </a>");
    assert_eq!(found, [("a".into(), "x  y".into()), ("b".into(), "1".into())]);
}

#[test]
fn quirk_31_prefixes_are_ignored_declared_or_not() {
    assert_eq!(leaf("<s:a><nowhere:port xmlns:s='x'>7</nowhere:port></s:a>", "port").unwrap(), "7");
}

#[test]
fn quirk_32_defects_of_real_documents_do_not_hide_the_leaf() {
    let defective: [&[u8]; 15] = [
        b"\r\n\t<?xml version=\"1.0\"?><a><port>7</port></a>",
        b"\xef\xbb\xbf<?xml version=\"1.0\"?><a><port>7</port></a>",
        b"<?XML VERSION=\"1.0\"?><a><port>7</port></a>",
        b"<a><port>7</port></a>\0\0\0",
        b"<a><port>7</port></a>trailing <junk",
        b"leading junk<a><port>7</port></a>",
        b"<a><name>caf\xe9</name><port>7</port></a>",
        b"<a><name>Tom & Jerry</name><port>7</port></a>",
        b"<a><name>I <3 my router</name><port>7</port></a>",
        b"<a><name>a < b</name><port>7</port></a>",
        b"<a><name>x</nmae><port>7</port></a>",
        b"<a><name>x<port>7</port></a>",
        b"</b></c><a><port>7</port></a>",
        b"<a k=1 k=1 'odd><port >7</port\n></a>",
        b"<a><!broken><![also broken]><port>7</port>",
    ];
    for document in defective {
        assert_eq!(leaf(document, "port").as_deref(), Some("7"), "{}", String::from_utf8_lossy(document));
    }
}

#[test]
fn an_end_tag_closes_what_was_left_open_inside() {
    let document = "<r><a><b>1<c>2</a>outside</r>";
    assert_eq!(leaf(document, "r").unwrap(), "outside");
    assert_eq!((leaf(document, "b").unwrap(), leaf(document, "c").unwrap()), ("1".into(), "2".into()));
}

#[test]
fn a_misspelled_end_tag_closes_one_element() {
    let document = "<r><a><b>1</x>2</a>3</r>";
    assert_eq!((leaf(document, "b").unwrap(), leaf(document, "a").unwrap()), ("1".into(), "2".into()));
    assert_eq!(leaf(document, "r").unwrap(), "3");
}

#[test]
fn zero_bytes_around_a_text_are_trimmed() {
    assert_eq!(leaf("<a>\0 7\0\0</a>", "a").unwrap(), "7");
}

#[test]
fn the_five_entities_and_numeric_ones_are_decoded() {
    assert_eq!(leaf("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;</a>", "a").unwrap(), "<>&\"'AB");
}

#[test]
fn an_entity_from_a_document_type_is_left_as_it_stands() {
    let bomb = "<!DOCTYPE a [<!ENTITY f 'ffffffff'><!ENTITY g '&f;&f;&f;&f;'>]><a>&g;&g;</a>";
    assert_eq!(leaf(bomb, "a").unwrap(), "&g;&g;");
}

#[test]
fn impossible_character_references_stay_text() {
    assert_eq!(leaf("<a>&#0;&#xD800;&#x110000;&#;</a>", "a").unwrap(), "&#0;&#xD800;&#x110000;&#;");
}

#[test]
fn character_data_sections_are_text() {
    assert_eq!(leaf("<a><![CDATA[<b>&amp;]]></a>", "a").unwrap(), "<b>&amp;");
}

#[test]
fn names_are_compared_without_regard_to_case() {
    let found = elements(b"<controlUrl>/</controlUrl>").unwrap();
    assert!(found[0].is("controlURL"));
    assert!(!found[0].is("eventSubURL"));
}

#[test]
fn input_without_markup_has_no_elements() {
    assert_eq!(read(""), []);
    assert_eq!(read("plain"), []);
    assert_eq!(read(b"\0\xff\xfe"), []);
}

#[test]
fn degenerate_markup_is_survived() {
    for markup in [
        "<",
        ">",
        "<>",
        "</>",
        "<!",
        "<!>",
        "<!-->",
        "<!--->",
        "<?",
        "<?>",
        "<??>",
        "<![CDATA[]>",
        "&",
        "&;",
        "<a",
    ] {
        let document = format!("{markup}<port>7</port>{markup}");
        assert!(read(&document).len() <= 3, "{document}");
    }
}

#[test]
fn quirk_34_a_document_over_the_cap_is_refused() {
    let mut document = b"<a>".to_vec();
    document.resize(MAXIMUM_BYTES, b' ');
    assert_eq!(elements(&document).unwrap().len(), 1);
    document.push(b' ');
    assert_eq!(elements(&document), Err(XmlError::TooLarge { found: MAXIMUM_BYTES + 1 }));
}

#[test]
fn quirk_34_nesting_is_capped() {
    assert_eq!(elements("<a>".repeat(MAXIMUM_DEPTH).as_bytes()).unwrap().len(), MAXIMUM_DEPTH);
    assert_eq!(elements("<a>".repeat(MAXIMUM_DEPTH + 1).as_bytes()), Err(XmlError::TooDeep));
}

#[test]
fn quirk_34_the_number_of_events_is_capped() {
    assert_eq!(elements("<a/>".repeat(MAXIMUM_EVENTS - 1).as_bytes()).unwrap().len(), MAXIMUM_EVENTS - 1);
    assert_eq!(elements("<a/>".repeat(MAXIMUM_EVENTS).as_bytes()), Err(XmlError::TooManyEvents));
}

#[test]
fn repairs_are_capped() {
    let broken = format!("{}<port>7</port>", "<!x>".repeat(MAXIMUM_REPAIRS));
    assert_eq!(leaf(&broken, "port"), None);
    let less_broken = format!("{}<port>7</port>", "<!x>".repeat(MAXIMUM_REPAIRS - 1));
    assert_eq!(leaf(&less_broken, "port").as_deref(), Some("7"));
}

#[test]
fn what_the_reader_lets_pass_needs_no_repair() {
    for harmless in ["<a>x</b>", "</b>", "<a>x & y</a>"] {
        let document = format!("{}<port>7</port>", harmless.repeat(2 * MAXIMUM_REPAIRS));
        assert_eq!(leaf(&document, "port").as_deref(), Some("7"), "{harmless}");
    }
}

#[test]
fn long_names_are_cut() {
    let name = "n".repeat(MAXIMUM_NAME_CHARACTERS + 1);
    assert_eq!(read(format!("<{name}/>"))[0].0.len(), MAXIMUM_NAME_CHARACTERS);
}

#[test]
fn escaped_text_is_read_back() {
    let text = "a<b>&\"c'\u{e9}";
    assert_eq!(escape(text), "a&lt;b&gt;&amp;&quot;c&apos;\u{e9}");
    assert_eq!(leaf(format!("<a>{}</a>", escape(text)), "a").unwrap(), text);
}

#[test]
fn characters_that_xml_forbids_are_left_out() {
    assert_eq!(escape("a\0b\u{1b}c\u{fffe}d\te"), "abcd\te");
}

#[test]
fn mutants_are_survived_within_bounds() {
    let originals: [&[u8]; 3] = [
        b"<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY e 'x'>]><r xmlns='n'><p:a k='v'>1 &amp; 2</p:a><b/></r>",
        b"<r><!-- note --><c><![CDATA[ <raw> ]]></c><?pi data?>&#x41;&lt;</r>",
        b"<e><d><c><b><a>caf\xc3\xa9</a></b></c></d></e>",
    ];
    let tokens: [&[u8]; 12] =
        [b"<", b">", b"</", b"/>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?", b"?>", b"<!DOCTYPE", b"&#"];
    let mut whole = 0;
    for mutant in mutants(31, &originals, &tokens) {
        let found = elements(&mutant).unwrap();
        let text: usize = found.iter().map(|element| element.text.len()).sum();
        assert!(
            text <= 3 * mutant.len() && found.len() <= mutant.len(),
            "{}",
            String::from_utf8_lossy(&mutant)
        );
        whole += usize::from(found.len() >= 3);
    }
    assert!(whole > 10_000, "only {whole} mutants kept their elements");
}

#[test]
fn a_document_is_whole_once_its_outermost_element_is_closed() {
    for whole in
        ["<a><b>1</b></a>", "<?xml version=\"1.0\"?>\r\n<a>\n<b/></a>\r\n", "<a/>", "<a></a><!-- x -->"]
    {
        assert!(is_whole(whole.as_bytes()), "{whole}");
    }
    for part in
        ["", " ", "text", "<?xml version=\"1.0\"?>", "<a>", "<a><b>1</b>", "<a><b>1</b></a", "<a></a><b"]
    {
        assert!(!is_whole(part.as_bytes()), "{part}");
    }
    assert!(!is_whole(" ".repeat(MAXIMUM_BYTES).as_bytes()));
    assert!(!is_whole(format!("<a>{}</a>", " ".repeat(MAXIMUM_BYTES)).as_bytes()));
}
