using System.CommandLine;

namespace Weft.Cli.Commands;

/// <summary>Scripts that ask Weft itself what fits: the same table that is parsed answers.</summary>
internal static class CompletionsCommand
{
    public static Command Create()
    {
        var shell = new Argument<string>("SHELL") { HelpName = "bash|zsh|fish", Description = "Which shell's script to print" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completions", "Print a script that completes Weft's commands and options.") { shell };
        command.SetAction(parsed => Console.Out.Write(Script(parsed.GetRequiredValue(shell))));
        return command;
    }

    public static string Script(string shell) => shell switch
    {
        "bash" => """
            # Completion of weft for bash; from 'weft completions bash'.
            _weft() {
                local IFS=$'\n'
                COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o default -F _weft weft

            """,
        "zsh" => """
            #compdef weft
            # Completion of weft for zsh; from 'weft completions zsh'.
            _weft() {
                local -a found
                found=("${(@f)$("$words[1]" "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)}")
                compadd -a found
                _files
            }
            if [ "$funcstack[1]" = "_weft" ]; then _weft "$@"; else compdef _weft weft; fi

            """,
        _ => """
            # Completion of weft for fish; from 'weft completions fish'.
            complete -c weft -a '(set -l line (commandline -cp); weft "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null)'

            """,
    };
}
