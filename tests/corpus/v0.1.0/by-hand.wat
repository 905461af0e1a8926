;; A filter and a transform without a toolchain, without WASI and with no import but the
;; types. The filter drops an event without a body, the transform says "by hand".
;; `by-hand-000` is its version, which tests replace by others of the same length.
(component
  (type $types' (instance
    (type $header' (record (field "name" string) (field "value" string)))
    (export "header" (type $header (eq $header')))
    (type $attribute' (record (field "name" string) (field "value" string)))
    (export "attribute" (type $attribute (eq $attribute')))
    (type $event' (record
      (field "id" string) (field "source" string) (field "event-type" (option string))
      (field "received-at-ms" u64) (field "method" string) (field "path" string)
      (field "query" (option string)) (field "headers" (list $header))
      (field "content-type" (option string)) (field "body" (list u8))
      (field "attributes" (list $attribute))))
    (export "event" (type $event (eq $event')))
    (type $message' (record
      (field "body" (option (list u8))) (field "content-type" (option string))
      (field "set-headers" (list $header)) (field "remove-headers" (list string))
      (field "event-type" (option string)) (field "destinations" (option (list string)))
      (field "attributes" (list $attribute)) (field "idempotency-suffix" (option string))))
    (export "message" (type $message (eq $message')))
    (type $error' (variant
      (case "invalid-input" string) (case "misconfigured" string)
      (case "retry" string) (case "other" string)))
    (export "error" (type $error (eq $error')))))
  (import "hookloom:plugin/types@0.1.0" (instance $types (type $types')))
  (alias export $types "header" (type $header))
  (alias export $types "attribute" (type $attribute))
  (alias export $types "event" (type $event))
  (alias export $types "message" (type $message))
  (alias export $types "error" (type $error))

  (core module $code
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 4096))
    (data (i32.const 16) "by handby-hand-000A plugin without a toolchain.no body")
    ;; metadata: name, version, description; needs-body; all headers; no schema
    (data (i32.const 128) "\10\00\00\00\07\00\00\00\17\00\00\00\0b\00\00\00\22\00\00\00\1d\00\00\00\01")
    ;; configure: ok
    (data (i32.const 256) "\00")
    ;; filter: ok(pass), ok(drop("no body"))
    (data (i32.const 320) "\00\00\00\00\00")
    (data (i32.const 384) "\00\00\00\00\01\00\00\00\3f\00\00\00\07\00\00\00")
    ;; transform: ok(replace(message with the body "by hand"))
    (data (i32.const 448) "\00\00\00\00\01\00\00\00\01\00\00\00\10\00\00\00\07\00\00\00")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "describe") (result i32) (i32.const 128))
    (func (export "configure") (param i32 i32) (result i32) (i32.const 256))
    ;; The length of the body is behind 80 bytes: id and source (8 each), the type (12),
    ;; the time (at 32, 8), method and path, the query (12), the headers, the media type
    ;; (12), and where the body is.
    (func (export "filter") (param i32) (result i32)
      (select (i32.const 320) (i32.const 384) (i32.load offset=92 (local.get 0))))
    (func (export "transform") (param i32) (result i32) (i32.const 448)))
  (core instance $code (instantiate $code))
  (alias core export $code "memory" (core memory $memory))
  (alias core export $code "realloc" (core func $realloc))

  (type $metadata (record
    (field "name" string) (field "version" string) (field "description" string)
    (field "needs-body" bool) (field "header-names" (option (list string)))
    (field "config-schema" (option string))))
  (type $verdict (variant (case "pass") (case "drop" string)))
  (type $outcome (variant
    (case "unchanged") (case "replace" $message) (case "split" (list $message)) (case "drop" string)))
  (func $describe (result $metadata)
    (canon lift (core func $code "describe") (memory $memory)))
  (func $configure (param "config" string) (result (result (error string)))
    (canon lift (core func $code "configure") (memory $memory) (realloc $realloc)))
  (func $filter (param "event" $event) (result (result $verdict (error $error)))
    (canon lift (core func $code "filter") (memory $memory) (realloc $realloc)))
  (func $transform (param "event" $event) (result (result $outcome (error $error)))
    (canon lift (core func $code "transform") (memory $memory) (realloc $realloc)))

  ;; What an interface exports names its types by itself: hence a component for each.
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

  (component $filter
    (type $header' (record (field "name" string) (field "value" string)))
    (import "header" (type $header (eq $header')))
    (type $attribute' (record (field "name" string) (field "value" string)))
    (import "attribute" (type $attribute (eq $attribute')))
    (type $event' (record
      (field "id" string) (field "source" string) (field "event-type" (option string))
      (field "received-at-ms" u64) (field "method" string) (field "path" string)
      (field "query" (option string)) (field "headers" (list $header))
      (field "content-type" (option string)) (field "body" (list u8))
      (field "attributes" (list $attribute))))
    (import "event" (type $event (eq $event')))
    (type $error' (variant
      (case "invalid-input" string) (case "misconfigured" string)
      (case "retry" string) (case "other" string)))
    (import "error" (type $error (eq $error')))
    (type $verdict' (variant (case "pass") (case "drop" string)))
    (import "verdict" (type $verdict (eq $verdict')))
    (import "filter" (func $filter (param "event" $event) (result (result $verdict (error $error)))))
    (export $event-shown "event" (type $event))
    (export $error-shown "error" (type $error))
    (export $shown "verdict" (type $verdict))
    (export "filter" (func $filter)
      (func (param "event" $event-shown) (result (result $shown (error $error-shown))))))
  (instance $filter (instantiate $filter
    (with "header" (type $header))
    (with "attribute" (type $attribute))
    (with "event" (type $event))
    (with "error" (type $error))
    (with "verdict" (type $verdict))
    (with "filter" (func $filter))))
  (export "hookloom:plugin/filter@0.1.0" (instance $filter))

  (component $transform
    (type $header' (record (field "name" string) (field "value" string)))
    (import "header" (type $header (eq $header')))
    (type $attribute' (record (field "name" string) (field "value" string)))
    (import "attribute" (type $attribute (eq $attribute')))
    (type $event' (record
      (field "id" string) (field "source" string) (field "event-type" (option string))
      (field "received-at-ms" u64) (field "method" string) (field "path" string)
      (field "query" (option string)) (field "headers" (list $header))
      (field "content-type" (option string)) (field "body" (list u8))
      (field "attributes" (list $attribute))))
    (import "event" (type $event (eq $event')))
    (type $message' (record
      (field "body" (option (list u8))) (field "content-type" (option string))
      (field "set-headers" (list $header)) (field "remove-headers" (list string))
      (field "event-type" (option string)) (field "destinations" (option (list string)))
      (field "attributes" (list $attribute)) (field "idempotency-suffix" (option string))))
    (import "message" (type $message (eq $message')))
    (type $error' (variant
      (case "invalid-input" string) (case "misconfigured" string)
      (case "retry" string) (case "other" string)))
    (import "error" (type $error (eq $error')))
    (type $outcome' (variant
      (case "unchanged") (case "replace" $message) (case "split" (list $message)) (case "drop" string)))
    (import "outcome" (type $outcome (eq $outcome')))
    (import "transform" (func $transform (param "event" $event) (result (result $outcome (error $error)))))
    (export $event-shown "event" (type $event))
    (export $message-shown "message" (type $message))
    (export $error-shown "error" (type $error))
    (export $shown "outcome" (type $outcome))
    (export "transform" (func $transform)
      (func (param "event" $event-shown) (result (result $shown (error $error-shown))))))
  (instance $transform (instantiate $transform
    (with "header" (type $header))
    (with "attribute" (type $attribute))
    (with "event" (type $event))
    (with "message" (type $message))
    (with "error" (type $error))
    (with "outcome" (type $outcome))
    (with "transform" (func $transform))))
  (export "hookloom:plugin/transform@0.1.0" (instance $transform)))
