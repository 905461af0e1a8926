;; Drops the event for a reason that is not UTF-8.
(data (i32.const 4096) "\00\00\00\00" "\03\00\00\00" "\00\20\00\00" "\02\00\00\00")
(data (i32.const 8192) "\ff\fe")
(func (export "transform") (param i32) (result i32) (i32.const 4096))
