//! A key template: read and rendered without a crash; without transforms, different values make different keys.

#![no_main]

use larder::{Key, KeyPart, Template};
use larder_syntax::glob;
use larder_syntax::template::{self, Placeholder, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str)| {
    let (text, one, other) = input;
    let literal = glob::escape(one);
    assert!(glob::matches(&literal, one), "escaped text is itself");
    let _ = glob::literal_prefix(text);
    let Ok(template) = Template::parse(text) else {
        return;
    };
    let (Ok(first), Ok(second)) = (render(&template, text, one), render(&template, text, other))
    else {
        return;
    };
    let parsed = parsed(text);
    let arguments = || parsed.placeholders().filter(is_argument);
    if arguments().next().is_some() && arguments().all(|argument| argument.transforms.is_empty()) {
        assert_eq!(one == other, first == second, "{first} {second}");
    }
});

fn parsed(text: &str) -> template::Template {
    template::Template::parse(text).expect("what the library could read")
}

fn is_argument(placeholder: &&Placeholder) -> bool {
    matches!(placeholder.source, Source::Argument { .. })
}

fn render(template: &Template, text: &str, value: &str) -> Result<Key, larder::Error> {
    let parsed = parsed(text);
    let mut names: Vec<&str> = parsed
        .placeholders()
        .filter(is_argument)
        .map(Placeholder::path)
        .collect();
    names.sort_unstable();
    names.dedup();
    template.render(names.into_iter().map(|name| (name, &value as &dyn KeyPart)))
}
