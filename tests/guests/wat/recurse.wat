(func $deeper (result i32) (i32.add (call $deeper) (i32.const 1)))
(func (export "transform") (param i32) (result i32) (call $deeper))
