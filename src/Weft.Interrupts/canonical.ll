; The canonical probe of the interrupts instrument, where metering counts: is the count at which the next interrupt is due
; reached? The slow path is in runtime/interrupts.c; the layouts here are those of interrupts_abi.h and metering_abi.h.

; { unused, unused, unused, count at which somebody has to look }
@__weft_interrupts_v1 = external thread_local(initialexec) global { i64, i32, i32, i64 }
; { units left, units granted, ... }: the count is their difference
@__weft_metering_v2 = external thread_local(initialexec) global { i64, i64, ptr }

declare ptr @llvm.threadlocal.address.p0(ptr)
declare preserve_mostcc void @__weft_interrupts_expired() cold

define weak_odr hidden void @weft.interrupts.canonical() alwaysinline noprofile {
  %metering = call ptr @llvm.threadlocal.address.p0(ptr @__weft_metering_v2)
  %left = load i64, ptr %metering, align 8
  %slot.granted = getelementptr inbounds { i64, i64, ptr }, ptr %metering, i64 0, i32 1
  %granted = load i64, ptr %slot.granted, align 8
  %count = sub i64 %granted, %left
  %interrupts = call ptr @llvm.threadlocal.address.p0(ptr @__weft_interrupts_v1)
  %slot = getelementptr inbounds { i64, i32, i32, i64 }, ptr %interrupts, i64 0, i32 3
  %target = load i64, ptr %slot, align 8
  %due = icmp uge i64 %count, %target
  br i1 %due, label %look, label %go, !prof !0
look:
  call preserve_mostcc void @__weft_interrupts_expired()
  br label %go
go:
  ret void
}

!0 = !{!"branch_weights", i32 1, i32 1048575}
