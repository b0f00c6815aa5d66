; The counting probes of the interrupts instrument: linked into each woven module, called where FunctionWeaver.cs says, and
; inlined. The state and the slow path are in runtime/interrupts.c; the layout here is its ABI, version 1.

; { units left until somebody has to look at the clock, ... }
@__weft_interrupts_v1 = external thread_local(initialexec) global { i64, i32, i32, i64 }

declare ptr @llvm.threadlocal.address.p0(ptr)
declare { i64, i1 } @llvm.usub.with.overflow.i64(i64, i64)
declare preserve_mostcc void @__weft_interrupts_expired()

; Two instructions on the hot path: subtract from memory, branch on the sign.
define weak_odr hidden void @weft.interrupts.probe(i64 %cost) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_interrupts_v1)
  %before = load i64, ptr %state, align 8
  %after = sub i64 %before, %cost
  store i64 %after, ptr %state, align 8
  %expired = icmp slt i64 %after, 0
  br i1 %expired, label %look, label %go, !prof !0
look:
  call preserve_mostcc void @__weft_interrupts_expired() cold
  br label %go
go:
  ret void
}

; The same with the way to the runtime in line: 17 bytes on x86-64 instead of 26, for a jump that is taken.
define weak_odr hidden void @weft.interrupts.compact(i64 %cost) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_interrupts_v1)
  %before = load i64, ptr %state, align 8
  %after = sub i64 %before, %cost
  store i64 %after, ptr %state, align 8
  %expired = icmp slt i64 %after, 0
  br i1 %expired, label %look, label %go, !prof !1
look:
  call preserve_mostcc void @__weft_interrupts_expired()
  br label %go
go:
  ret void
}

; After a call that may have taken long: look at the clock if anything is registered.
define weak_odr hidden void @weft.interrupts.check() alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_interrupts_v1)
  %left = load i64, ptr %state, align 8
  %registered = icmp slt i64 %left, 549755813888
  br i1 %registered, label %look, label %go, !prof !0
look:
  call preserve_mostcc void @__weft_interrupts_expired() cold
  br label %go
go:
  ret void
}

; Loops without calls keep what is left in a register: from here... (Below 0 only in a signal handler that came into the
; middle of a probe.)
define weak_odr hidden i64 @weft.interrupts.begin(i64 %gap) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_interrupts_v1)
  %left = load i64, ptr %state, align 8
  %over = icmp slt i64 %left, 0
  %usable = select i1 %over, i64 0, i64 %left
  ret i64 %usable
}

; ...to here.
define weak_odr hidden void @weft.interrupts.end(i64 %left) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_interrupts_v1)
  store i64 %left, ptr %state, align 8
  ret void
}

; Nothing is left, or nearly: look at the clock, and come back with what is.
define weak_odr hidden i64 @weft.interrupts.expire(i64 %left, i64 %gap) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_interrupts_v1)
  store i64 %left, ptr %state, align 8
  call preserve_mostcc void @__weft_interrupts_expired() cold
  %new = load i64, ptr %state, align 8
  ret i64 %new
}

; The probe of a loop that keeps what is left in a register. It asks for the borrow, not the sign: what is left is never
; negative in a loop, and processors fuse a subtraction with the branch on its borrow.
define weak_odr hidden i64 @weft.interrupts.spend(i64 %left, i64 %cost, i64 %gap) alwaysinline noprofile {
  %pair = call { i64, i1 } @llvm.usub.with.overflow.i64(i64 %left, i64 %cost)
  %after = extractvalue { i64, i1 } %pair, 0
  %expired = extractvalue { i64, i1 } %pair, 1
  br i1 %expired, label %look, label %go, !prof !0
look:
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_interrupts_v1)
  store i64 %after, ptr %state, align 8
  call preserve_mostcc void @__weft_interrupts_expired() cold
  %new = load i64, ptr %state, align 8
  br label %go
go:
  %result = phi i64 [ %after, %0 ], [ %new, %look ]
  ret i64 %result
}

!0 = !{!"branch_weights", i32 1, i32 1048575}
!1 = !{!"branch_weights", i32 1, i32 1}
