;; A split into more messages than there is memory for.
(data (i32.const 4096) "\00\00\00\00" "\02\00\00\00" "\00\20\00\00" "\ff\ff\ff\0f")
(func (export "transform") (param i32) (result i32) (i32.const 4096))
