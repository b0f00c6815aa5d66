using Weft.Core;

namespace Weft.Toolchain.Clang;

public static class ClangDoor
{
    public static int Run(bool cplusplus, IReadOnlyList<string> arguments, InstrumentSet instruments) => throw new WeftException("not built yet");
}
