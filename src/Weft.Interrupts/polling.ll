; The polling probes of the interrupts instrument (--interrupts-clock flag): the same functions as in probes.ll, for a build
; in which nothing is counted. Loops count to the longest gap in a register and poll then.

; { unused, flag, ... }
@__weft_interrupts_v1 = external thread_local(initialexec) global { i64, i32, i32, i64 }

declare ptr @llvm.threadlocal.address.p0(ptr)
declare { i64, i1 } @llvm.usub.with.overflow.i64(i64, i64)
declare preserve_mostcc void @__weft_interrupts_expired()

; Two instructions on the hot path: compare with memory, branch.
define weak_odr hidden void @weft.interrupts.probe(i64 %cost) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_interrupts_v1)
  %slot = getelementptr inbounds { i64, i32, i32, i64 }, ptr %state, i64 0, i32 1
  %flag = load atomic i32, ptr %slot monotonic, align 8
  %asked = icmp ne i32 %flag, 0
  br i1 %asked, label %look, label %go, !prof !0
look:
  call preserve_mostcc void @__weft_interrupts_expired() cold
  br label %go
go:
  ret void
}

; The same with the way to the runtime in line; see probes.ll.
define weak_odr hidden void @weft.interrupts.compact(i64 %cost) alwaysinline noprofile {
  %state = call ptr @llvm.threadlocal.address.p0(ptr @__weft_interrupts_v1)
  %slot = getelementptr inbounds { i64, i32, i32, i64 }, ptr %state, i64 0, i32 1
  %flag = load atomic i32, ptr %slot monotonic, align 8
  %asked = icmp ne i32 %flag, 0
  br i1 %asked, label %look, label %go, !prof !2
look:
  call preserve_mostcc void @__weft_interrupts_expired()
  br label %go
go:
  ret void
}

define weak_odr hidden void @weft.interrupts.check() alwaysinline noprofile {
  call void @weft.interrupts.probe(i64 0)
  ret void
}

define weak_odr hidden i64 @weft.interrupts.begin(i64 %gap) alwaysinline noprofile {
  ret i64 %gap
}

define weak_odr hidden void @weft.interrupts.end(i64 %left) alwaysinline noprofile {
  ret void
}

define weak_odr hidden i64 @weft.interrupts.expire(i64 %left, i64 %gap) alwaysinline noprofile {
  call void @weft.interrupts.probe(i64 0)
  ret i64 %gap
}

define weak_odr hidden i64 @weft.interrupts.spend(i64 %left, i64 %cost, i64 %gap) alwaysinline noprofile {
  %pair = call { i64, i1 } @llvm.usub.with.overflow.i64(i64 %left, i64 %cost)
  %after = extractvalue { i64, i1 } %pair, 0
  %expired = extractvalue { i64, i1 } %pair, 1
  br i1 %expired, label %look, label %go, !prof !1
look:
  call void @weft.interrupts.probe(i64 0)
  br label %go
go:
  %result = phi i64 [ %after, %0 ], [ %gap, %look ]
  ret i64 %result
}

!0 = !{!"branch_weights", i32 1, i32 1048575}
!1 = !{!"branch_weights", i32 1, i32 127}
!2 = !{!"branch_weights", i32 1, i32 1}
