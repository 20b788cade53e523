//! A deploy with another shape of a type is a miss, not garbage.

use std::collections::BTreeMap;

use super::*;

/// Each release of a type lives in a module of its own, under one name.
macro_rules! release {
    ($name:ident $($body:tt)*) => {
        mod $name {
            use serde::{Deserialize, Serialize};
            $($body)*
        }
    };
}

release!(first
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Account { pub(super) id: u32, pub(super) name: String }
);
release!(moved_to_another_module
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Account { pub(super) id: u32, pub(super) name: String }
);
release!(fields_in_another_order
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Account { pub(super) name: String, pub(super) id: u32 }
);
release!(with_a_default
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Account { pub(super) id: u32, pub(super) name: String, #[serde(default)] pub(super) age: u8 }
);
release!(with_an_option
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Account { pub(super) id: u32, pub(super) name: String, pub(super) email: Option<String> }
);
release!(without_a_field
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Account { pub(super) id: u32 }
);
release!(of_another_type
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Account { pub(super) id: u64, pub(super) name: String }
);
release!(renamed_field
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Account { pub(super) id: u32, pub(super) title: String }
);
release!(renamed
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Order { pub(super) id: u32, pub(super) name: String }
);

fn named() -> Vec<Codec> {
    let all = formats().into_iter();
    all.filter(|codec| codec.format.is_named() && codec.has_envelope())
        .collect()
}

fn postcard() -> Codec {
    let codec = Codec::builder().format(Format::Postcard).build();
    codec.expect("builds")
}

fn stored(codec: &Codec) -> Vec<u8> {
    let (id, name) = (7, "Ada".to_owned());
    encoded(codec, "key", first::Account { id, name })
}

fn read<V: Portable>(codec: &Codec, bytes: &[u8]) -> Result<V, Unreadable> {
    codec.from_bytes::<V>("key", bytes)
}

#[test]
fn the_same_shape_is_read_whatever_module_the_type_lives_in() {
    for codec in formats() {
        let bytes = stored(&codec);
        assert!(read::<moved_to_another_module::Account>(&codec, &bytes).is_ok());
    }
}

#[test]
fn another_shape_is_a_miss_in_every_format_with_an_envelope() {
    for codec in named().into_iter().chain([postcard()]) {
        let bytes = stored(&codec);
        let miss = Some(Unreadable::OtherType);
        assert_eq!(read::<with_an_option::Account>(&codec, &bytes).err(), miss);
        assert_eq!(read::<without_a_field::Account>(&codec, &bytes).err(), miss);
        assert_eq!(read::<of_another_type::Account>(&codec, &bytes).err(), miss);
        assert_eq!(read::<renamed_field::Account>(&codec, &bytes).err(), miss);
        assert_eq!(read::<renamed::Order>(&codec, &bytes).err(), miss);
        assert_eq!(read::<String>(&codec, &bytes).err(), miss);
    }
}

#[test]
fn with_names_a_field_with_a_default_may_come_and_go_and_order_is_free() {
    for codec in named() {
        let bytes = stored(&codec);
        let now: with_a_default::Account = read(&codec, &bytes).expect("a default is given");
        assert_eq!((now.id, now.age), (7, 0));
        let back = encoded(&codec, "key", with_a_default::Account { age: 3, ..now });
        assert_eq!(
            read::<first::Account>(&codec, &back).map(|old| old.id),
            Ok(7)
        );
        let turned = read::<fields_in_another_order::Account>(&codec, &bytes);
        assert_eq!(turned.map(|turned| turned.name).as_deref(), Ok("Ada"));
    }
}

#[test]
fn without_names_every_field_counts_in_its_order() {
    let codec = postcard();
    let bytes = stored(&codec);
    let miss = Some(Unreadable::OtherType);
    assert_eq!(read::<with_a_default::Account>(&codec, &bytes).err(), miss);
    assert_eq!(
        read::<fields_in_another_order::Account>(&codec, &bytes).err(),
        miss
    );
}

#[test]
fn who_opts_out_reads_what_the_format_can_read() {
    let codec = Codec::builder().ignore_shapes().build().expect("builds");
    let bytes = stored(&codec);
    assert_eq!(
        read::<with_an_option::Account>(&codec, &bytes).map(|a| a.email),
        Ok(None)
    );
    assert_eq!(
        read::<without_a_field::Account>(&codec, &bytes).map(|a| a.id),
        Ok(7)
    );
    assert_eq!(
        read::<renamed_field::Account>(&codec, &bytes).err(),
        Some(Unreadable::Broken)
    );
    let checked = Codec::default();
    assert_eq!(
        read::<first::Account>(&checked, &bytes).err(),
        Some(Unreadable::OtherType),
        "what has no mark is not taken for one that fits"
    );
}

#[test]
fn what_lies_deeper_or_behind_a_type_that_refuses_invented_values_counts_too() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Holder<T> {
        /// Reads only one text in the world.
        picky: Picky,
        pair: (Picky, u8),
        number: std::num::NonZeroU32,
        inner: Vec<BTreeMap<String, Option<T>>>,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(try_from = "String", into = "String")]
    struct Picky;
    impl TryFrom<String> for Picky {
        type Error = &'static str;
        fn try_from(text: String) -> Result<Self, &'static str> {
            (text == "only this").then_some(Self).ok_or("another text")
        }
    }
    impl From<Picky> for String {
        fn from(_: Picky) -> Self {
            "only this".to_owned()
        }
    }
    let shape = |is_text, with_u8: bool| match with_u8 {
        true => shape::of::<Holder<u8>>(is_text),
        false => shape::of::<Holder<u16>>(is_text),
    };
    assert_ne!(shape(false, true), shape(false, false));
    assert_ne!(shape(true, true), shape(true, false));
    let holder = Holder {
        picky: Picky,
        pair: (Picky, 1),
        number: std::num::NonZeroU32::MIN,
        inner: vec![BTreeMap::from([("a".to_owned(), Some(7_u8))])],
    };
    for codec in formats() {
        round(&codec, holder.clone());
    }
}

#[test]
fn recursive_and_self_describing_types_have_a_shape_and_come_back() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Tree {
        Leaf(u8),
        Node(Vec<Tree>),
        Pair { left: Box<Tree>, right: Box<Tree> },
    }
    let leaf = || Box::new(Tree::Leaf(1));
    let tree = Tree::Pair {
        left: leaf(),
        right: Box::new(Tree::Node(vec![*leaf(), *leaf()])),
    };
    for codec in formats() {
        round(&codec, tree.clone());
    }
    for codec in named() {
        round(
            &codec,
            serde_json::json!({"a": [1, null, "x"], "b": {"c": 0.5}}),
        );
    }
}

#[test]
fn a_type_that_panics_when_asked_still_has_a_shape() {
    #[derive(Clone, Debug, PartialEq, Serialize)]
    struct Touchy(u8);
    impl<'de> Deserialize<'de> for Touchy {
        fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
            let text = <(u8, u8)>::deserialize(source);
            assert!(text.is_ok(), "asked by something that is no format");
            text.map(|(first, _)| Self(first))
        }
    }
    assert_eq!(shape::of::<Touchy>(false), shape::of::<Touchy>(false));
}

#[test]
fn an_option_straight_inside_an_option_is_refused_where_it_would_read_back_as_another() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(Option<u8>);
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Boxed {
        inner: Option<u8>,
    }
    fn refused<V: Portable>(codec: &Codec, value: V) -> bool {
        codec.to_bytes("key", value).is_err()
    }
    for codec in named() {
        assert!(refused(&codec, Some(Some(7_u8))));
        assert!(refused(&codec, vec![Some(Wrapped(None))]));
        assert!(refused(&codec, Some(())));
        round(&codec, Some(Boxed { inner: None }));
    }
    let codec = postcard();
    round(&codec, Some(None::<u8>));
    round(&codec, Some(Wrapped(None)));
    round(&codec, Some(()));
}

#[test]
fn marks_are_pinned_because_they_stand_in_entries() {
    // A change here makes every entry of every user a miss.
    let marks = [
        shape::of::<u64>(false).of(Format::MessagePack),
        shape::of::<User>(false).of(Format::MessagePack),
        shape::of::<User>(false).of(Format::Postcard),
        shape::Shape::custom("point 1").of(Format::Json),
    ];
    assert_eq!(
        marks,
        [
            1_515_152_261_580_153_489,
            4_815_567_073_548_238_882,
            6_639_760_157_397_549_512,
            6_133_872_586_756_533_413
        ]
    );
}
