;; A verifier and a classifier without a toolchain and without WASI. It accepts a request
;; with a body and calls one without a body unauthorized; an answer of 200 is done, any
;; other is given up.
(component
  (type $types' (instance
    (type $header' (record (field "name" string) (field "value" string)))
    (export "header" (type $header (eq $header')))
    (type $attribute' (record (field "name" string) (field "value" string)))
    (export "attribute" (type $attribute (eq $attribute')))))
  (import "hookloom:plugin/types@0.1.0" (instance $types (type $types')))
  (alias export $types "header" (type $header))
  (alias export $types "attribute" (type $attribute))

  (core module $code
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 4096))
    (data (i32.const 16) "by handby-hand-000A judge without a toolchain.no body")
    (data (i32.const 128) "\10\00\00\00\07\00\00\00\17\00\00\00\0b\00\00\00\22\00\00\00\1c\00\00\00\01")
    (data (i32.const 256) "\00")
    ;; verify: accepted(nothing more said), unauthorized("no body")
    (data (i32.const 320) "\00")
    (data (i32.const 384) "\03\00\00\00\3e\00\00\00\07\00\00\00")
    ;; classify: done, dead("by hand")
    (data (i32.const 448) "\00")
    (data (i32.const 512) "\02\00\00\00\00\00\00\00\10\00\00\00\07\00\00\00")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "describe") (result i32) (i32.const 128))
    (func (export "configure") (param i32 i32) (result i32) (i32.const 256))
    ;; method, path, the query (3), headers, body; the URL; the time
    (func (export "verify")
      (param i32 i32) (param i32 i32) (param i32 i32 i32) (param i32 i32) (param $body i32) (param $len i32)
      (param i32 i32) (param i64) (result i32)
      (select (i32.const 320) (i32.const 384) (local.get $len)))
    ;; status, headers, body; the attempt
    (func (export "classify") (param $status i32) (param i32 i32) (param i32 i32) (param i32) (result i32)
      (select (i32.const 448) (i32.const 512) (i32.eq (local.get $status) (i32.const 200)))))
  (core instance $code (instantiate $code))
  (alias core export $code "memory" (core memory $memory))
  (alias core export $code "realloc" (core func $realloc))

  (type $metadata (record
    (field "name" string) (field "version" string) (field "description" string)
    (field "needs-body" bool) (field "header-names" (option (list string)))
    (field "config-schema" (option string))))
  (type $request (record
    (field "method" string) (field "path" string) (field "query" (option string))
    (field "headers" (list $header)) (field "body" (list u8))))
  (type $acceptance (record
    (field "id" (option string)) (field "event-type" (option string))
    (field "attributes" (list $attribute))))
  (type $response (record (field "status" u16) (field "headers" (list $header)) (field "body" (list u8))))
  (type $verification (variant
    (case "accepted" $acceptance) (case "respond" $response) (case "malformed" string)
    (case "unauthorized" string) (case "unavailable" string)))
  (type $decision (variant (case "done") (case "retry" (option u64)) (case "dead" string) (case "default")))
  (func $describe (result $metadata)
    (canon lift (core func $code "describe") (memory $memory)))
  (func $configure (param "config" string) (result (result (error string)))
    (canon lift (core func $code "configure") (memory $memory) (realloc $realloc)))
  (func $verify (param "request" $request) (param "public-url" string) (param "now-ms" u64)
    (result $verification)
    (canon lift (core func $code "verify") (memory $memory) (realloc $realloc)))
  (func $classify (param "response" $response) (param "attempt" u32) (result $decision)
    (canon lift (core func $code "classify") (memory $memory) (realloc $realloc)))

  (component $lifecycle
    (type $metadata' (record
      (field "name" string) (field "version" string) (field "description" string)
      (field "needs-body" bool) (field "header-names" (option (list string)))
      (field "config-schema" (option string))))
    (import "metadata" (type $metadata (eq $metadata')))
    (import "describe" (func $describe (result $metadata)))
    (import "configure" (func $configure (param "config" string) (result (result (error string)))))
    (export $shown "metadata" (type $metadata))
    (export "describe" (func $describe) (func (result $shown)))
    (export "configure" (func $configure)))
  (instance $lifecycle (instantiate $lifecycle
    (with "metadata" (type $metadata))
    (with "describe" (func $describe))
    (with "configure" (func $configure))))
  (export "hookloom:plugin/lifecycle@0.1.0" (instance $lifecycle))

  (component $verify
    (type $header' (record (field "name" string) (field "value" string)))
    (import "header" (type $header (eq $header')))
    (type $attribute' (record (field "name" string) (field "value" string)))
    (import "attribute" (type $attribute (eq $attribute')))
    (type $request' (record
      (field "method" string) (field "path" string) (field "query" (option string))
      (field "headers" (list $header)) (field "body" (list u8))))
    (import "request" (type $request (eq $request')))
    (type $acceptance' (record
      (field "id" (option string)) (field "event-type" (option string))
      (field "attributes" (list $attribute))))
    (import "acceptance" (type $acceptance (eq $acceptance')))
    (type $response' (record
      (field "status" u16) (field "headers" (list $header)) (field "body" (list u8))))
    (import "response" (type $response (eq $response')))
    (type $verification' (variant
      (case "accepted" $acceptance) (case "respond" $response) (case "malformed" string)
      (case "unauthorized" string) (case "unavailable" string)))
    (import "verification" (type $verification (eq $verification')))
    (import "verify" (func $verify
      (param "request" $request) (param "public-url" string) (param "now-ms" u64) (result $verification)))
    (export $request-shown "request" (type $request))
    (export $acceptance-shown "acceptance" (type $acceptance))
    (export $response-shown "response" (type $response))
    (type $shown' (variant
      (case "accepted" $acceptance-shown) (case "respond" $response-shown) (case "malformed" string)
      (case "unauthorized" string) (case "unavailable" string)))
    (export $shown "verification" (type $shown'))
    (export "verify" (func $verify) (func
      (param "request" $request-shown) (param "public-url" string) (param "now-ms" u64) (result $shown))))
  (instance $verify (instantiate $verify
    (with "header" (type $header))
    (with "attribute" (type $attribute))
    (with "request" (type $request))
    (with "acceptance" (type $acceptance))
    (with "response" (type $response))
    (with "verification" (type $verification))
    (with "verify" (func $verify))))
  (export "hookloom:plugin/verify@0.1.0" (instance $verify))

  (component $classify
    (type $header' (record (field "name" string) (field "value" string)))
    (import "header" (type $header (eq $header')))
    (type $response' (record
      (field "status" u16) (field "headers" (list $header)) (field "body" (list u8))))
    (import "response" (type $response (eq $response')))
    (type $decision' (variant
      (case "done") (case "retry" (option u64)) (case "dead" string) (case "default")))
    (import "decision" (type $decision (eq $decision')))
    (import "classify" (func $classify (param "response" $response) (param "attempt" u32) (result $decision)))
    (export $response-shown "response" (type $response))
    (export $shown "decision" (type $decision))
    (export "classify" (func $classify)
      (func (param "response" $response-shown) (param "attempt" u32) (result $shown))))
  (instance $classify (instantiate $classify
    (with "header" (type $header))
    (with "response" (type $response))
    (with "decision" (type $decision))
    (with "classify" (func $classify))))
  (export "hookloom:plugin/classify@0.1.0" (instance $classify)))
