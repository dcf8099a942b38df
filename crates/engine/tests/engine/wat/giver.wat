;; Imports a resource as it is exported, and a function of it as it is not.
(component
  (import "test:resources/counters@0.1.0" (instance $counters
    (export "counter" (type $counter (sub resource)))
    (export "[constructor]counter" (func (param "start" u32) (result (own $counter))))
    (export "value" (func (param "of" (own $counter)) (result u32)))))
  (core func $make (canon lower (func $counters "[constructor]counter")))
  (core func $value (canon lower (func $counters "value")))
  (core module $m
    (import "counters" "make" (func $make (param i32) (result i32)))
    (import "counters" "value" (func $value (param i32) (result i32)))
    (func (export "run") (drop (call $value (call $make (i32.const 1))))))
  (core instance $i (instantiate $m (with "counters" (instance
    (export "make" (func $make)) (export "value" (func $value))))))
  (func $run (canon lift (core func $i "run")))
  (instance $driver (export "run-all" (func $run)))
  (export "test:resources/driver@0.1.0" (instance $driver)))
