using Weft.Llvm;

namespace Weft.Core;

/// <summary>A piece of bitcode to lower.</summary>
/// <param name="Name">What messages call it: a path, or "archive(member)".</param>
/// <param name="Bitcode">The module as the front end wrote it.</param>
/// <param name="Weave">False for a crate the user skips: it is lowered, not instrumented.</param>
/// <param name="Optimised">True for bitcode that went through the first half of link-time optimisation when it was made.</param>
/// <param name="Source">What is known of its source, if an instrument reads that.</param>
/// <param name="IsToolchain">True for the standard library: what it holds is not the user's to change, so nothing of it is denied.</param>
public sealed record LoweringInput(string Name, byte[] Bitcode, bool Weave = true, bool Optimised = false, SourceContext? Source = null, bool IsToolchain = false);

/// <summary>
/// Bitcode to object code, the stages in order:
/// <list type="number">
/// <item>read: parse the bitcode with the toolchain's own LLVM</item>
/// <item>FRONT: instruments that count what the source says, before anything is optimised; verify</item>
/// <item>MIDDLE, if an instrument wants it: <see cref="Simplification"/>, then instruments that turn their marks into code; verify</item>
/// <item>optimise: the pipeline of the requested level</item>
/// <item>BACK: instruments that must not disturb the optimiser; verify</item>
/// <item>emit: sections, then the code generator</item>
/// </list>
/// A pure function of (bitcode, settings, instruments and options, LLVM, Weft): the same inputs give the same bytes.
/// </summary>
public sealed class Lowering(LoweringSettings settings, Weaving weaving)
{
    /// <summary>Lowers one module; safe to call from several threads at once.</summary>
    public byte[] Lower(LoweringInput input, Timings timings) => Guarded(input.Name, () =>
    {
        using var context = new LlvmContext();
        using var module = Front(context, input, timings);
        using var machine = CreateMachine(module, input.Name);
        using (timings.Measure("optimise")) module.RunPasses(settings.Pipeline, machine, PassOptions);
        return Emit(module, machine, input.Weave, timings);
    });

    /// <summary>Link-time optimisation over modules: FRONT on each, then merge, internalise, optimise and emit as one.</summary>
    /// <param name="inputs">The modules in link order.</param>
    /// <param name="keep">Symbols that the outside refers to; see <see cref="Internaliser"/>.</param>
    /// <param name="timings">Where stage times go.</param>
    public byte[] LowerMerged(IReadOnlyList<LoweringInput> inputs, IReadOnlySet<string> keep, Timings timings) => Guarded($"{inputs.Count} modules under LTO", () =>
    {
        using var context = new LlvmContext();
        using var merged = Front(context, inputs[0], timings);
        using var machine = CreateMachine(merged, inputs[0].Name);
        PreLink(merged, inputs[0], machine, timings);
        foreach (var input in inputs.Skip(1))
        {
            using var module = Front(context, input, timings);
            PreLink(module, input, machine, timings);
            using (timings.Measure("merge")) merged.Link(module);
        }
        Internaliser.Run(merged, keep);
        using (timings.Measure("optimise")) merged.RunPasses(settings.Level == OptLevel.O0 ? "globaldce" : $"lto<{settings.LevelName}>", machine, PassOptions);
        return Emit(merged, machine, weave: true, timings);
    });

    /// <summary>FRONT, with MIDDLE behind it, or BACK only, for a front end that optimises and emits itself: bitcode in, bitcode out.</summary>
    /// <param name="input">The module.</param>
    /// <param name="stage">FRONT or BACK.</param>
    /// <param name="isLast">Whether no later stage will see the module.</param>
    /// <param name="timings">Where stage times go.</param>
    public byte[] Weave(LoweringInput input, Stage stage, bool isLast, Timings timings) => Guarded(input.Name, () =>
    {
        using var context = new LlvmContext();
        using var module = Read(context, input, timings);
        if (stage == Stage.Front) WeaveFront(module, input, isLast, timings);
        else WeaveStage(module, stage, input.Source, isLast, timings);
        if (stage == Stage.Front) FinishFront(module);
        using (timings.Measure("write")) return module.ToBitcode();
    });

    private Module Front(LlvmContext context, LoweringInput input, Timings timings)
    {
        var module = Read(context, input, timings);
        try
        {
            if (input.Weave) WeaveFront(module, input, isLast: false, timings);
            FinishFront(module);
            return module;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }

    private static readonly string[] StageNames = ["weave front", "weave middle", "weave back"];

    private void FinishFront(Module module)
    {
        if (settings.DebugInformation == DebugInformation.None) module.StripDebugInformation();
        else if (settings.DebugInformation == DebugInformation.Lines) module.StripTypes();
        AddSizeAttributes(module);
    }

    private void AddSizeAttributes(Module module)
    {
        if (settings.Level is OptLevel.Os or OptLevel.Oz) SizeAttributes.Add(module, settings.Level);
    }

    private static Module Read(LlvmContext context, LoweringInput input, Timings timings)
    {
        using var _ = timings.Measure("read");
        timings.CountInput(input.Bitcode.Length);
        return context.ParseBitcode(input.Bitcode);
    }

    private void PreLink(Module module, LoweringInput input, TargetMachine machine, Timings timings)
    {
        if (input.Optimised) return;
        using var _ = timings.Measure("optimise");
        module.RunPasses(settings.Level == OptLevel.O0 ? "default<O0>" : $"lto-pre-link<{settings.LevelName}>", machine, PassOptions);
    }

    private byte[] Emit(Module module, TargetMachine machine, bool weave, Timings timings)
    {
        if (weave) WeaveStage(module, Stage.Back, source: null, isLast: true, timings);
        if (settings.Sections) Sections.Assign(module);
        byte[] emitted;
        using (timings.Measure("emit")) emitted = machine.Emit(module, settings.Emit);
        if (weave && settings.Emit == EmitKind.Object) weaving.Finish(emitted);
        return emitted;
    }

    private void WeaveFront(Module module, LoweringInput input, bool isLast, Timings timings)
    {
        if (weaving.Deny is { } deny && input.IsToolchain) deny.Pass(module);
        else weaving.Check(module, input.Name);
        var hasMiddle = weaving.WantsStage(Stage.Middle);
        WeaveStage(module, Stage.Front, input.Source, isLast && !hasMiddle, timings);
        if (!hasMiddle) return;
        if (settings.Level != OptLevel.O0)
            using (timings.Measure("simplify")) Simplification.Run(module, settings.Level);
        WeaveStage(module, Stage.Middle, input.Source, isLast, timings);
    }

    private void WeaveStage(Module module, Stage stage, SourceContext? source, bool isLast, Timings timings)
    {
        if (!weaving.WantsStage(stage)) return;
        using (timings.Measure(StageNames[(int)stage])) weaving.Weave(module, stage, settings.Level, source, isLast);
        using (timings.Measure("verify")) module.Verify();
    }

    private PassOptions PassOptions => new(settings.InterleavesLoops, settings.MergeFunctions);

    private TargetMachine CreateMachine(Module module, string name)
    {
        if (module.Triple.Length == 0) module.Triple = settings.Triple ?? throw new WeftException($"{name} names no target", "say which with --target TRIPLE");
        var (cpu, features) = CpuOf(module);
        var machine = new TargetMachine(module.Triple, settings.Cpu ?? cpu, settings.Features ?? features, settings.CodegenLevel, settings.Relocation ?? RelocationOf(module), settings.CodeModel);
        if (module.DataLayout.Length == 0) module.DataLayout = machine.DataLayout;
        return machine;
    }

    // Code generation takes both from each function; the machine's own matter for module-level assembly.
    private static (string Cpu, string Features) CpuOf(Module module)
    {
        foreach (var function in module.Functions)
            if (function.StringAttribute("target-cpu"u8) is { } cpu)
                return (cpu, function.StringAttribute("target-features"u8) ?? "");
        return ("", "");
    }

    private static RelocationModel RelocationOf(Module module) => module.HasFlag("PIC Level") ? RelocationModel.Pic : RelocationModel.Static;

    private static byte[] Guarded(string name, Func<byte[]> work)
    {
        try
        {
            return FatalErrors.Guard(work);
        }
        catch (LlvmException e)
        {
            throw new WeftException($"{name}: {e.Message.TrimEnd()}", $"LLVM {LlvmLibrary.Version} said so; to keep what is needed to repeat this, build again with --repro DIR", ExitCode.Failure, e);
        }
    }
}

/// <summary>Adds what -Os and -Oz mean to every function, for front ends that were asked for canonical IR at another level.</summary>
internal static class SizeAttributes
{
    public static void Add(Module module, OptLevel level)
    {
        var size = module.Context.EnumAttribute("optsize"u8);
        var minimum = module.Context.EnumAttribute("minsize"u8);
        foreach (var function in module.Functions.Where(f => !f.IsDeclaration && !f.HasAttribute("optnone"u8))) // which excludes them
        {
            function.Add(size);
            if (level == OptLevel.Oz) function.Add(minimum);
        }
    }
}
