using System.Text;
using Weft.Core;
using Weft.Metering;
using Weft.Toolchain;
using Weft.Toolchain.Cargo;
using Weft.Toolchain.Link;

var instruments = new InstrumentSet([new MeteringInstrument()]);
var name = Path.GetFileName(Encoding.UTF8.GetString(Posix.CommandLine[0]));
try
{
    return name switch
    {
        "weft-rustc" => RustcWrapper.Run(args, instruments),
        "weft-rustdoc" => RustdocWrapper.Run(args, instruments),
        "weft-linker" => LinkDoor.Run(args, instruments),
        _ when args is ["cargo", ..] => CargoDoor.Run(args[1..], instruments),
        _ => throw WeftException.Usage("?"),
    };
}
catch (WeftException e)
{
    Terminal.Error(e.Message, e.Help);
    return (int)e.ExitCode;
}
