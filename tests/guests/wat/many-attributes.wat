;; One message with 257 attributes.
(data (i32.const 4096) "\00\00\00\00" "\01\00\00\00")
(data (i32.const 4168) "\00\20\00\00" "\01\01\00\00")
(func (export "transform") (param i32) (result i32) (i32.const 4096))
