using System.Text;
using Weft.Llvm;
using Weft.Metering.Costs;

namespace Weft.Metering.Weaving;

/// <summary>
/// Tells the runtime what the units of a module are: a text in a section of its own, for the report.
/// <code>
/// @weft.metering.costs = private constant [10 x i8] c"canonical\00", section "weft_metering_costs"
/// </code>
/// </summary>
internal static class CostRecord
{
    public static void Add(Module module, CostModel model)
    {
        var text = module.Context.ConstString(Encoding.UTF8.GetBytes(model.Name));
        var global = module.AddGlobal(text.Type, "weft.metering.costs");
        global.Initializer = text;
        global.IsConstant = true;
        global.Linkage = Linkage.Private;
        global.Alignment = 1; // the texts of all modules that are linked lie one behind the other
        global.SetSection(Records.SectionName(module, "weft_metering_costs", constant: true));
        module.KeepInObject(global);
    }
}
