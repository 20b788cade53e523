//! The grammar of key templates.

use larder_syntax::template::{Piece, Source, Template, Transform};

fn stops(text: &str) -> Vec<Option<char>> {
    let template = Template::parse(text).unwrap();
    template
        .placeholders()
        .map(|placeholder| placeholder.stop.map(char::from))
        .collect()
}

fn transforms(text: &str) -> Vec<Transform> {
    let template = Template::parse(text).unwrap();
    template
        .placeholders()
        .flat_map(|placeholder| placeholder.transforms.clone())
        .collect()
}

fn source(text: &str) -> Source {
    Template::parse(text)
        .unwrap()
        .placeholders()
        .next()
        .unwrap()
        .source
        .clone()
}

fn argument(name: &str, fields: &[&str]) -> Source {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    Source::Argument {
        name: name.to_owned(),
        fields,
    }
}

#[test]
fn literals_and_values_in_turn() {
    let template = Template::parse("user:{id}:é").unwrap();
    let [
        Piece::Literal(first),
        Piece::Value(value),
        Piece::Literal(last),
    ] = &template.pieces[..]
    else {
        panic!("{template:?}");
    };
    assert_eq!((first.as_str(), last.as_str()), ("user:", ":é"));
    assert_eq!(
        (value.text.as_str(), value.at, value.path()),
        ("id", 5, "id")
    );
}

#[test]
fn a_template_without_placeholders_is_a_key() {
    assert_eq!(
        Template::parse("config").unwrap().pieces,
        [Piece::Literal("config".to_owned())]
    );
}

#[test]
fn doubled_braces_are_braces() {
    let template = Template::parse("{{a}}:{{{b}}}").unwrap();
    assert_eq!(template.pieces[0], Piece::Literal("{a}:{".to_owned()));
    assert_eq!(template.pieces[2], Piece::Literal("}".to_owned()));
    assert_eq!(template.placeholders().next().unwrap().at, 8);
}

#[test]
fn values_come_from_arguments_fields_and_the_context() {
    assert_eq!(source("{id}"), argument("id", &[]));
    assert_eq!(source("{self.region}"), argument("self", &["region"]));
    assert_eq!(
        source("{user.address.city}"),
        argument("user", &["address", "city"])
    );
    assert_eq!(source("{pair.0.1}"), argument("pair", &["0", "1"]));
    assert_eq!(source("{r#type}"), argument("r#type", &[]));
    assert_eq!(source("{größe}"), argument("größe", &[]));
    assert_eq!(source("{@client}"), Source::Context("client".to_owned()));
}

#[test]
fn transforms_follow_colons() {
    assert_eq!(transforms("{x}"), []);
    assert_eq!(
        transforms("{x:lower:hash}"),
        [Transform::Lower, Transform::Hash]
    );
    assert_eq!(
        transforms("{x:upper}{{{y:len}"),
        [Transform::Upper, Transform::Len]
    );
    assert_eq!(transforms("{x:?}"), [Transform::Debug]);
    assert_eq!(
        transforms("{x:jwt(client_id)}"),
        [Transform::Jwt("client_id".to_owned())]
    );
    assert_eq!(transforms("{x:jwt(https://a.b/c):lower}").len(), 2);
    let path = |path: &str| Transform::Path(path.to_owned());
    assert_eq!(
        transforms("{x:crate::keys::slug}"),
        [path("crate::keys::slug")]
    );
    assert_eq!(
        transforms("{x:a::b:c::d:len}"),
        [path("a::b"), path("c::d"), Transform::Len]
    );
}

#[test]
fn a_value_stops_at_the_literal_behind_it_unless_it_is_the_last() {
    assert_eq!(stops("{a}"), [None]);
    assert_eq!(stops("{a}:suffix"), [None]);
    assert_eq!(stops("a-{a}-{b}/{c}."), [Some('-'), Some('/'), None]);
    assert_eq!(stops("{a}{{{b}"), [Some('{'), None]);
}

#[test]
fn what_is_wrong_is_found_where_it_is() {
    for (text, at, message) in [
        ("", 0, "an empty key"),
        ("a}b", 1, "write `}}`"),
        ("a{b", 1, "not closed"),
        ("a{b{c}", 1, "not closed"),
        ("a{}", 1, "name an argument"),
        ("a:{ }", 2, "name an argument"),
        ("a:{ id }", 3, "write `{id}`"),
        ("a:{a}{b}", 5, "write `{a}:{b}`"),
        ("{a}%{b}", 3, "write another character"),
        ("{a.b()}", 1, "cannot call a function"),
        ("{1a}", 1, "not the name of an argument"),
        ("{.a}", 1, "not the name of an argument"),
        ("{a.}", 1, "not the name of a field"),
        ("{a.b-c}", 1, "`b-c` is not the name of a field"),
        ("{@}", 1, "value of the context"),
        ("{a:}", 3, "nothing behind the colon"),
        ("{a:lowr}", 3, "did you mean `{a:lower}`?"),
        ("{a:HASH}", 3, "did you mean `{a:hash}`?"),
        ("{a:slug}", 3, "`{a:crate::path::to::fn}`"),
        ("{a:>5}", 3, "`>5` is not a transform"),
        ("{a:::b}", 3, "not a transform"),
        ("{a:jwt}", 3, "write `{a:jwt(sub)}`"),
        ("{a:jwt()}", 3, "write `{a:jwt(sub)}`"),
        ("{a:jwt(b}", 3, "a `(` that is not closed"),
        ("{a:hash(sha1)}", 3, "write `{a:hash}`"),
        ("{a:lower:len}", 9, "comes first"),
        ("{a:hash:?}", 8, "comes first"),
        ("a\nb", 1, "cannot contain \\n"),
    ] {
        let error = Template::parse(text).unwrap_err();
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(text.is_char_boundary(error.at));
    }
}

#[test]
fn a_percent_sign_elsewhere_is_harmless() {
    assert_eq!(Template::parse("%:{a}:%{b}%").unwrap().pieces.len(), 5);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z{}:@.?%()\\[\\] é]{0,24}") {
        match Template::parse(&text) {
            Ok(template) => {
                for placeholder in template.placeholders() {
                    let written = format!("{{{}}}", placeholder.text);
                    proptest::prop_assert!(text[placeholder.at..].starts_with(&written));
                }
            }
            Err(error) => proptest::prop_assert!(text.is_char_boundary(error.at)),
        }
    }
}
