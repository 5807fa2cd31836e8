//! Languages that a program runs.

pub(crate) fn rhai() {
    let mut engine = rhai::Engine::new();
    engine.register_fn("double", |number: i64| 2 * number);
    let source =
        "fn factorial(n) { if n < 2 { 1 } else { n * factorial(n - 1) } } double(factorial(6))";
    assert_eq!(engine.eval::<i64>(source).unwrap(), 1_440);
    assert!(engine.eval::<i64>("1 / 0").is_err());
}

/// A module of two functions, one of them the host's: `(func (export "run") (param i32) (result i32) local.get 0 call 0
/// i32.const 1 i32.add)`.
const MODULE: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x06\x01\x60\x01\x7f\x01\x7f\
    \x02\x0a\x01\x04host\x01f\0\0\
    \x03\x02\x01\0\
    \x07\x07\x01\x03run\0\x01\
    \x0a\x0b\x01\x09\0\x20\0\x10\0\x41\x01\x6a\x0b";

pub(crate) fn wasmi() {
    let engine = wasmi::Engine::default();
    let module = wasmi::Module::new(&engine, MODULE).unwrap();
    let mut store = wasmi::Store::new(&engine, 0_u32);
    let mut linker = wasmi::Linker::<u32>::new(&engine);
    linker
        .func_wrap(
            "host",
            "f",
            |mut caller: wasmi::Caller<'_, u32>, number: i32| {
                *caller.data_mut() += 1;
                number * 10
            },
        )
        .unwrap();
    let instance = linker.instantiate_and_start(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
    assert_eq!(run.call(&mut store, 4).unwrap(), 41);
    assert_eq!(*store.data(), 1);
}
