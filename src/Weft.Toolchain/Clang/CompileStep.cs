using Weft.Core;

namespace Weft.Toolchain.Clang;

/// <summary>One compilation of the plan, with weaving between clang's own steps; see <see cref="Cc1Command"/>.</summary>
internal sealed class CompileStep
{
    private readonly ClangSession session;
    private readonly DriverJob job;
    private readonly Cc1Command command;
    private readonly string output;
    private readonly bool front, back;
    private readonly LoweringSettings settings;
    private bool listening, spoke;
    private SourceContext? source;

    /// <param name="session">What the compilations of one plan share.</param>
    /// <param name="job">The plan's job.</param>
    /// <param name="command">The same job, understood.</param>
    /// <param name="continues">Its input is bitcode that an earlier job of the plan has made, with FRONT woven in.</param>
    public CompileStep(ClangSession session, DriverJob job, Cc1Command command, bool continues)
    {
        this.session = session;
        this.job = job;
        this.command = command;
        output = job.Output ?? "-";
        front = session.WantsFront && !continues;
        back = session.Weaving.WantsStage(Stage.Back) && command.EndsInCode;
        settings = new LoweringSettings
        {
            Level = LoweringSettings.ParseLevel(command.Level) ?? OptLevel.O2,
            DebugInformation = session.Weaving.WantsTypes && command.HasMoreTypes ? command.DebugInformation : DebugInformation.All,
        };
    }

    public int Run()
    {
        if (front) return RunFront();
        if (!back) return session.Run(job);
        return command.ReadsIr ? OptimiseAndEmit(new IrFile(command.Input)) : EmitOptimised(file => command.FrontAndOptimise(file, session.Weaving));
    }

    private int RunFront()
    {
        var file = session.Folder.File("front.bc");
        if (Clang("front", command.Front(file, session.Weaving)) is var exit and not 0) return exit;
        var bitcode = AtomicFile.Read(file);
        if (session.Weaving.ReadsSource && command.IsPlainSource && File.Exists(command.Input)) ReadSource();
        if (command.StopsAtFront) return Store(Weave(bitcode, Stage.Front));
        if (!IsCacheable) return Finish(bitcode);
        var key = session.Key(bitcode, source?.Fingerprint ?? "", command.Finish(new IrFile(command.Input), ""));
        return session.Cache.TryGet(key) is { } known ? Store(known) : FinishAndKeep(bitcode, key);
    }

    // What cannot be preprocessed again is counted by lines.
    private void ReadSource()
    {
        var file = session.Folder.File("preprocessed");
        if (Clang("preprocess", command.Preprocess(file, session.Weaving)) == 0)
            source = PreprocessedSource.Read(AtomicFile.Read(file), command.Input, isCpp: command.Language == "c++");
    }

    private int Finish(byte[] bitcode)
    {
        var woven = Store(bitcode, Stage.Front);
        return back ? OptimiseAndEmit(woven) : Clang("finish", command.Finish(woven, output));
    }

    // What the back end had to say would be missing from a cached result.
    private int FinishAndKeep(byte[] bitcode, string key)
    {
        listening = true;
        var exit = Finish(bitcode);
        if (exit == 0 && !spoke) session.Cache.Put(key, AtomicFile.Read(output));
        return exit;
    }

    private int OptimiseAndEmit(IrFile input) => EmitOptimised(file => command.Optimise(input, file));

    private int EmitOptimised(Func<string, List<string>> optimise)
    {
        var optimised = session.Folder.File("optimised.bc");
        if (Clang("optimise", optimise(optimised)) is var exit and not 0) return exit;
        if (Clang("emit", command.Emit(Store(AtomicFile.Read(optimised), Stage.Back), output)) is var failed and not 0) return failed;
        return command.MakesObject && File.Exists(output) ? FinishObject() : 0;
    }

    private int FinishObject()
    {
        var content = AtomicFile.Read(output);
        return session.Weaving.Finish(content) ? Store(content) : 0;
    }

    private IrFile Store(byte[] bitcode, Stage stage) => IrFile.Store(command.Input, Weave(bitcode, stage), session.Folder);

    // Not when nothing is woven, which only happens to measure what the steps cost. /dev/null and pipes, which have no
    // length, are not for replacing.
    private bool IsCacheable => !session.Weaving.IsEmpty && command.IsPure && output != "-" && (new FileInfo(output) is { Exists: false } or { Length: > 0 }) && !Directory.Exists(output);

    private byte[] Weave(byte[] bitcode, Stage stage) => session.Weave(new LoweringInput(command.Input, bitcode, Source: source), stage, settings, isLast: stage == Stage.Back || !back);

    private int Clang(string step, List<string> arguments)
    {
        using var _ = session.Timings.Measure("clang " + step);
        var exit = session.Run(new DriverJob(job.Program, arguments), listening, out var heard);
        spoke |= heard;
        return exit;
    }

    private int Store(byte[] content)
    {
        AtomicFile.Write(output, content);
        return 0;
    }
}
