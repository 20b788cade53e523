//! Context values and the default cache of a scope.

use larder::__private::KeyBuf;
use larder::{KeyPart, Template, scope};

use crate::support::{Gate, World};

fn rendered() -> String {
    let template = Template::parse("page:{@client}:{id}").unwrap();
    let key = template.render([("id", &7 as &dyn KeyPart)]).unwrap();
    key.as_str().to_owned()
}

#[test]
fn a_context_value_stands_in_keys_inside_its_scope() {
    assert_eq!(rendered(), "page:%none:7");
    scope().with("client", "acme").run(|| {
        assert_eq!(rendered(), "page:acme:7");
        scope().with("client", "other").with("more", "x").run(|| {
            assert_eq!(rendered(), "page:other:7");
        });
        assert_eq!(rendered(), "page:acme:7");
    });
    assert_eq!(rendered(), "page:%none:7");
}

#[test]
fn a_context_value_cannot_be_taken_for_another_part_of_the_key() {
    let key = scope().with("client", "a:7").run(rendered);
    assert_eq!(key, "page:a%3A7:7");
    assert_ne!(scope().with("client", "%none").run(rendered), rendered());
    assert_ne!(scope().with("client", "").run(rendered), rendered());
}

#[test]
fn a_context_value_follows_its_future() {
    let world = World::new();
    let gate = Gate::default();
    let pass = gate.pass();
    let scoped = world.spawn(scope().with("client", "acme").wrap(async move {
        pass.await;
        rendered()
    }));
    world.settle();
    assert_eq!(rendered(), "page:%none:7");
    gate.open();
    world.settle();
    assert_eq!(scoped.value(), "page:acme:7");
}

#[test]
fn a_scope_can_bring_its_own_default_cache() {
    let world = World::new();
    let mine = world.builder().name("mine").build().unwrap();
    let outside = larder::cache().name().to_owned();
    scope().default_cache(&mine).run(|| {
        assert_eq!(larder::cache().name(), "mine");
        let inner = world.builder().name("inner").build().unwrap();
        scope()
            .default_cache(&inner)
            .run(|| assert_eq!(larder::cache().name(), "inner"));
        scope().run(|| assert_eq!(larder::cache().name(), "mine"));
        let cache = larder::__private::default_cache();
        assert_eq!(KeyBuf::of(&cache, 0).as_str(), "");
        assert_eq!(cache.name(), "mine");
    });
    assert_eq!(larder::cache().name(), outside);
}
