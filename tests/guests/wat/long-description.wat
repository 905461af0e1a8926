;; A name of 300,000 bytes.
(data (i32.const 4096) "\00\00\02\00" "\e0\93\04\00")
(func (export "describe") (result i32) (i32.const 4096))
