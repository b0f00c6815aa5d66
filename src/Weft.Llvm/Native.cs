using System.Runtime.InteropServices;

namespace Weft.Llvm;

/// <summary>
/// LLVM-C as its headers declare it. Imports bind when first called, so a function that one supported LLVM lacks costs
/// nothing until it is used. The library behind the name "LLVM" is chosen by <see cref="LlvmLibrary"/>.
/// </summary>
internal static unsafe partial class Native
{
    internal const string Library = "LLVM";

    [LibraryImport(Library)] internal static partial void LLVMGetVersion(out uint major, out uint minor, out uint patch);
    [LibraryImport(Library)] internal static partial void LLVMDisposeMessage(nint message);
    [LibraryImport(Library)] internal static partial void LLVMInstallFatalErrorHandler(delegate* unmanaged[Cdecl]<nint, void> handler);
    [LibraryImport(Library)] internal static partial void LLVMParseCommandLineOptions(int argc, nint* argv, nint overview);

    // Contexts and diagnostics
    [LibraryImport(Library)] internal static partial nint LLVMContextCreate();
    [LibraryImport(Library)] internal static partial void LLVMContextDispose(nint context);
    [LibraryImport(Library)] internal static partial void LLVMContextSetDiscardValueNames(nint context, int discard);
    [LibraryImport(Library)] internal static partial void LLVMContextSetDiagnosticHandler(nint context, delegate* unmanaged[Cdecl]<nint, nint, void> handler, nint argument);
    [LibraryImport(Library)] internal static partial nint LLVMGetDiagInfoDescription(nint info);
    [LibraryImport(Library)] internal static partial int LLVMGetDiagInfoSeverity(nint info);

    // Buffers, readers and writers
    [LibraryImport(Library)] internal static partial nint LLVMCreateMemoryBufferWithMemoryRangeCopy(byte* data, nuint length, byte* name);
    [LibraryImport(Library)] internal static partial byte* LLVMGetBufferStart(nint buffer);
    [LibraryImport(Library)] internal static partial nuint LLVMGetBufferSize(nint buffer);
    [LibraryImport(Library)] internal static partial void LLVMDisposeMemoryBuffer(nint buffer);
    [LibraryImport(Library)] internal static partial int LLVMParseBitcodeInContext2(nint context, nint buffer, out nint module);
    [LibraryImport(Library)] internal static partial int LLVMParseIRInContext(nint context, nint buffer, out nint module, out nint message);
    [LibraryImport(Library)] internal static partial nint LLVMWriteBitcodeToMemoryBuffer(nint module);
    [LibraryImport(Library)] internal static partial int LLVMLinkModules2(nint destination, nint source);

    // Modules
    [LibraryImport(Library)] internal static partial void LLVMDisposeModule(nint module);
    [LibraryImport(Library)] internal static partial nint LLVMGetModuleContext(nint module);
    [LibraryImport(Library)] internal static partial nint LLVMGetTarget(nint module);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial void LLVMSetTarget(nint module, string triple);
    [LibraryImport(Library)] internal static partial nint LLVMGetDataLayoutStr(nint module);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial void LLVMSetDataLayout(nint module, string layout);
    [LibraryImport(Library)] internal static partial byte* LLVMGetSourceFileName(nint module, out nuint length);
    [LibraryImport(Library)] internal static partial byte* LLVMGetModuleInlineAsm(nint module, out nuint length);
    [LibraryImport(Library)] internal static partial int LLVMVerifyModule(nint module, int action, out nint message);
    [LibraryImport(Library)] internal static partial nint LLVMPrintModuleToString(nint module);
    [LibraryImport(Library)] internal static partial nint LLVMPrintValueToString(nint value);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint LLVMGetModuleFlag(nint module, string key, nuint length);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint LLVMGetNamedMetadata(nint module, string name, nuint length);
    [LibraryImport(Library)] internal static partial nint LLVMGetFirstFunction(nint module);
    [LibraryImport(Library)] internal static partial nint LLVMGetNextFunction(nint function);
    [LibraryImport(Library)] internal static partial nint LLVMGetFirstGlobal(nint module);
    [LibraryImport(Library)] internal static partial nint LLVMGetNextGlobal(nint global);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint LLVMGetNamedFunction(nint module, string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint LLVMGetNamedGlobal(nint module, string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint LLVMAddGlobal(nint module, nint type, string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint LLVMAddFunction(nint module, string name, nint type);

    [LibraryImport(Library)] internal static partial int LLVMHasPrefixData(nint function);
    [LibraryImport(Library)] internal static partial void LLVMSetPrefixData(nint function, nint data);
    [LibraryImport(Library)] internal static partial int LLVMHasPrologueData(nint function);
    [LibraryImport(Library)] internal static partial void LLVMSetPrologueData(nint function, nint data);
    [LibraryImport(Library)] internal static partial nint LLVMGetFirstGlobalIFunc(nint module);
    [LibraryImport(Library)] internal static partial nint LLVMGetNextGlobalIFunc(nint ifunc);
    [LibraryImport(Library)] internal static partial nint LLVMGetGlobalIFuncResolver(nint ifunc);

    // Types and constants
    [LibraryImport(Library)] internal static partial nint LLVMIntTypeInContext(nint context, uint bits);
    [LibraryImport(Library)] internal static partial nint LLVMPointerTypeInContext(nint context, uint addressSpace);
    [LibraryImport(Library)] internal static partial nint LLVMVoidTypeInContext(nint context);
    [LibraryImport(Library)] internal static partial nint LLVMStructTypeInContext(nint context, nint* elements, uint count, int packed);
    [LibraryImport(Library)] internal static partial nint LLVMFunctionType(nint result, nint* parameters, uint count, int variadic);
    [LibraryImport(Library)] internal static partial nint LLVMGlobalGetValueType(nint global);
    [LibraryImport(Library)] internal static partial int LLVMGetTypeKind(nint type);
    [LibraryImport(Library)] internal static partial uint LLVMGetIntTypeWidth(nint type);
    [LibraryImport(Library)] internal static partial nint LLVMGetElementType(nint type);
    [LibraryImport(Library)] internal static partial ulong LLVMGetArrayLength2(nint type);
    [LibraryImport(Library)] internal static partial uint LLVMCountStructElementTypes(nint type);
    [LibraryImport(Library)] internal static partial nint LLVMStructGetTypeAtIndex(nint type, uint index);
    [LibraryImport(Library)] internal static partial nint LLVMConstInt(nint type, ulong value, int signExtend);
    [LibraryImport(Library)] internal static partial nint LLVMConstNull(nint type);
    [LibraryImport(Library)] internal static partial nint LLVMConstPtrToInt(nint pointer, nint type);
    [LibraryImport(Library)] internal static partial nint LLVMConstInBoundsGEP2(nint type, nint address, nint* indices, uint count);
    [LibraryImport(Library)] internal static partial nint LLVMConstStructInContext(nint context, nint* values, uint count, int packed);
    [LibraryImport(Library)] internal static partial nint LLVMConstArray2(nint element, nint* values, ulong count);
    [LibraryImport(Library)] internal static partial void LLVMDeleteGlobal(nint variable);
    [LibraryImport(Library)] internal static partial nint LLVMConstStringInContext2(nint context, byte* text, nuint length, int dontNullTerminate);
    [LibraryImport(Library)] internal static partial nint LLVMIsAConstantDataArray(nint value);
    [LibraryImport(Library)] internal static partial int LLVMIsConstantString(nint value);
    [LibraryImport(Library)] internal static partial byte* LLVMGetAsString(nint value, out nuint length);
    [LibraryImport(Library)] internal static partial nint LLVMGetUndef(nint type);
    [LibraryImport(Library)] internal static partial int LLVMIsNull(nint value);
    [LibraryImport(Library)] internal static partial ulong LLVMConstIntGetZExtValue(nint value);

    // Values
    [LibraryImport(Library)] internal static partial nint LLVMTypeOf(nint value);
    [LibraryImport(Library)] internal static partial int LLVMGetValueKind(nint value);
    [LibraryImport(Library)] internal static partial byte* LLVMGetValueName2(nint value, out nuint length);
    [LibraryImport(Library)] internal static partial void LLVMReplaceAllUsesWith(nint value, nint replacement);
    [LibraryImport(Library)] internal static partial int LLVMGetNumOperands(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMGetOperand(nint value, uint index);
    [LibraryImport(Library)] internal static partial nint LLVMIsAFunction(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMIsAGlobalAlias(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMIsAConstant(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMIsAConstantInt(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMIsAInlineAsm(nint value);
    [LibraryImport(Library)] internal static partial byte* LLVMGetInlineAsmAsmString(nint value, out nuint length);
    [LibraryImport(Library)] internal static partial int LLVMGetInlineAsmHasSideEffects(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMIsAGlobalVariable(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMIsAConstantExpr(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMPrintTypeToString(nint type);
    [LibraryImport(Library)] internal static partial nint LLVMGetParam(nint function, uint index);
    [LibraryImport(Library)] internal static partial nint LLVMGetFirstUse(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMGetNextUse(nint use);
    [LibraryImport(Library)] internal static partial nint LLVMGetUser(nint use);
    [LibraryImport(Library)] internal static partial nint LLVMBasicBlockAsValue(nint block);
    [LibraryImport(Library)] internal static partial nint LLVMIsATerminatorInst(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMValueAsMetadata(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMMetadataAsValue(nint context, nint metadata);

    // Globals
    [LibraryImport(Library)] internal static partial void LLVMSetValueName2(nint value, byte* name, nuint length);
    [LibraryImport(Library)] internal static partial int LLVMIsDeclaration(nint global);
    [LibraryImport(Library)] internal static partial int LLVMGetLinkage(nint global);
    [LibraryImport(Library)] internal static partial void LLVMSetLinkage(nint global, int linkage);
    [LibraryImport(Library)] internal static partial int LLVMGetVisibility(nint global);
    [LibraryImport(Library)] internal static partial void LLVMSetVisibility(nint global, int visibility);
    [LibraryImport(Library)] internal static partial byte* LLVMGetSection(nint global);
    [LibraryImport(Library)] internal static partial void LLVMSetSection(nint global, byte* section);
    [LibraryImport(Library)] internal static partial nint LLVMGetComdat(nint global);
    [LibraryImport(Library)] internal static partial void LLVMSetComdat(nint global, nint comdat);
    [LibraryImport(Library)] internal static partial nint LLVMGetOrInsertComdat(nint module, byte* name);
    [LibraryImport(Library)] internal static partial void LLVMSetComdatSelectionKind(nint comdat, int kind);
    [LibraryImport(Library)] internal static partial nint LLVMGetGlobalParent(nint global);
    [LibraryImport(Library)] internal static partial int LLVMGetUnnamedAddress(nint global);
    [LibraryImport(Library)] internal static partial void LLVMSetUnnamedAddress(nint global, int kind);
    [LibraryImport(Library)] internal static partial uint LLVMGetAlignment(nint value);
    [LibraryImport(Library)] internal static partial void LLVMSetAlignment(nint value, uint bytes);
    [LibraryImport(Library)] internal static partial nint LLVMGetInitializer(nint global);
    [LibraryImport(Library)] internal static partial void LLVMSetInitializer(nint global, nint value);
    [LibraryImport(Library)] internal static partial int LLVMIsThreadLocal(nint global);
    [LibraryImport(Library)] internal static partial void LLVMSetThreadLocalMode(nint global, int mode);
    [LibraryImport(Library)] internal static partial int LLVMIsGlobalConstant(nint global);
    [LibraryImport(Library)] internal static partial void LLVMSetGlobalConstant(nint global, int on);

    // Functions, blocks, instructions
    [LibraryImport(Library)] internal static partial void LLVMDeleteFunction(nint function);
    [LibraryImport(Library)] internal static partial uint LLVMGetIntrinsicID(nint function);
    [LibraryImport(Library)] internal static partial uint LLVMLookupIntrinsicID(byte* name, nuint length);
    [LibraryImport(Library)] internal static partial byte* LLVMIntrinsicGetName(uint id, out nuint length);
    [LibraryImport(Library)] internal static partial uint LLVMCountBasicBlocks(nint function);
    [LibraryImport(Library)] internal static partial nint LLVMGetFirstBasicBlock(nint function);
    [LibraryImport(Library)] internal static partial nint LLVMGetNextBasicBlock(nint block);
    [LibraryImport(Library)] internal static partial nint LLVMGetEntryBasicBlock(nint function);
    [LibraryImport(Library)] internal static partial nint LLVMGetFirstInstruction(nint block);
    [LibraryImport(Library)] internal static partial nint LLVMGetLastInstruction(nint block);
    [LibraryImport(Library)] internal static partial nint LLVMGetBasicBlockTerminator(nint block);
    [LibraryImport(Library)] internal static partial nint LLVMGetNextInstruction(nint instruction);
    [LibraryImport(Library)] internal static partial int LLVMGetInstructionOpcode(nint instruction);
    [LibraryImport(Library)] internal static partial void LLVMInstructionEraseFromParent(nint instruction);
    [LibraryImport(Library)] internal static partial void LLVMInstructionRemoveFromParent(nint instruction);
    [LibraryImport(Library)] internal static partial nint LLVMGetCalledValue(nint call);
    [LibraryImport(Library)] internal static partial uint LLVMGetNumArgOperands(nint call);
    [LibraryImport(Library)] internal static partial int LLVMGetTailCallKind(nint call);
    [LibraryImport(Library)] internal static partial nint LLVMInstructionGetDebugLoc(nint instruction);
    [LibraryImport(Library)] internal static partial nint LLVMGetSubprogram(nint function);
    [LibraryImport(Library)] internal static partial int LLVMHasPersonalityFn(nint function);
    [LibraryImport(Library)] internal static partial void LLVMDeleteBasicBlock(nint block);
    [LibraryImport(Library)] internal static partial nint LLVMAppendBasicBlockInContext(nint context, nint function, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMGetBasicBlockParent(nint block);
    [LibraryImport(Library)] internal static partial nint LLVMGetInstructionParent(nint instruction);
    [LibraryImport(Library)] internal static partial nint LLVMIsAInstruction(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMInstructionClone(nint instruction);
    [LibraryImport(Library)] internal static partial void LLVMInsertIntoBuilder(nint builder, nint instruction);
    [LibraryImport(Library)] internal static partial void LLVMSetOperand(nint user, uint index, nint value);
    [LibraryImport(Library)] internal static partial int LLVMGetVolatile(nint access);
    [LibraryImport(Library)] internal static partial int LLVMGetOrdering(nint access);
    [LibraryImport(Library)] internal static partial uint LLVMGetNumSuccessors(nint terminator);
    [LibraryImport(Library)] internal static partial nint LLVMGetSuccessor(nint terminator, uint index);
    [LibraryImport(Library)] internal static partial void LLVMSetSuccessor(nint terminator, uint index, nint block);
    [LibraryImport(Library)] internal static partial nint LLVMGetCondition(nint branch);
    [LibraryImport(Library)] internal static partial void LLVMSetCondition(nint branch, nint condition);
    [LibraryImport(Library)] internal static partial int LLVMGetICmpPredicate(nint comparison);
    [LibraryImport(Library)] internal static partial uint LLVMCountIncoming(nint phi);
    [LibraryImport(Library)] internal static partial nint LLVMGetIncomingValue(nint phi, uint index);
    [LibraryImport(Library)] internal static partial nint LLVMGetIncomingBlock(nint phi, uint index);
    [LibraryImport(Library)] internal static partial void LLVMAddIncoming(nint phi, nint* values, nint* blocks, uint count);
    [LibraryImport(Library)] internal static partial void LLVMSetInstructionCallConv(nint call, uint convention);
    [LibraryImport(Library)] internal static partial nint LLVMGetGEPSourceElementType(nint gep);
    [LibraryImport(Library)] internal static partial ulong LLVMABISizeOfType(nint layout, nint type);
    [LibraryImport(Library)] internal static partial nint LLVMGetModuleDataLayout(nint module);
    [LibraryImport(Library)] internal static partial uint LLVMGetVectorSize(nint vector);
    [LibraryImport(Library)] internal static partial uint LLVMGetMDKindIDInContext(nint context, byte* name, uint length);
    [LibraryImport(Library)] internal static partial void LLVMGlobalSetMetadata(nint global, uint kind, nint node);
    [LibraryImport(Library)] internal static partial uint LLVMGetMetadataKind(nint metadata);
    [LibraryImport(Library)] internal static partial ushort LLVMGetDINodeTag(nint metadata);
    [LibraryImport(Library)] internal static partial nint LLVMDITypeGetName(nint type, out nuint length);
    [LibraryImport(Library)] internal static partial ulong LLVMDITypeGetSizeInBits(nint type);
    [LibraryImport(Library)] internal static partial ulong LLVMDITypeGetOffsetInBits(nint type);
    [LibraryImport(Library)] internal static partial int LLVMDITypeGetFlags(nint type);
    [LibraryImport(Library)] internal static partial byte* LLVMGetMDString(nint value, out uint length);
    [LibraryImport(Library)] internal static partial uint LLVMGetMDNodeNumOperands(nint value);
    [LibraryImport(Library)] internal static partial void LLVMGetMDNodeOperands(nint value, nint* operands);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial uint LLVMGetNamedMetadataNumOperands(nint module, string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial void LLVMGetNamedMetadataOperands(nint module, string name, nint* values);
    [LibraryImport(Library)] internal static partial uint LLVMDISubprogramGetLine(nint subprogram);
    [LibraryImport(Library)] internal static partial uint LLVMDILocationGetLine(nint location);
    [LibraryImport(Library)] internal static partial uint LLVMDILocationGetColumn(nint location);
    [LibraryImport(Library)] internal static partial nint LLVMDILocationGetScope(nint location);
    [LibraryImport(Library)] internal static partial nint LLVMDILocationGetInlinedAt(nint location);
    [LibraryImport(Library)] internal static partial int LLVMStripModuleDebugInfo(nint module);
    [LibraryImport(Library)] internal static partial nint LLVMDIScopeGetFile(nint scope);
    [LibraryImport(Library)] internal static partial byte* LLVMDIFileGetFilename(nint file, out uint length);
    [LibraryImport(Library)] internal static partial byte* LLVMDIFileGetDirectory(nint file, out uint length);
    [LibraryImport(Library)] internal static partial nint LLVMGetReturnType(nint function);
    [LibraryImport(Library)] internal static partial uint LLVMCountParamTypes(nint function);
    [LibraryImport(Library)] internal static partial void LLVMGetParamTypes(nint function, nint* types);
    [LibraryImport(Library)] internal static partial nint LLVMGetMetadata(nint instruction, uint kind);
    [LibraryImport(Library)] internal static partial void LLVMSetMetadata(nint instruction, uint kind, nint node);
    [LibraryImport(Library)] internal static partial nint LLVMMDStringInContext2(nint context, byte* text, nuint length);
    [LibraryImport(Library)] internal static partial nint LLVMMDNodeInContext2(nint context, nint* metadata, nuint count);
    [LibraryImport(Library)] internal static partial uint LLVMGetDebugLocLine(nint value);
    [LibraryImport(Library)] internal static partial nint LLVMGetAllocatedType(nint alloca);

    // Attributes
    [LibraryImport(Library)] internal static partial uint LLVMGetEnumAttributeKindForName(byte* name, nuint length);
    [LibraryImport(Library)] internal static partial nint LLVMCreateEnumAttribute(nint context, uint kind, ulong value);
    [LibraryImport(Library)] internal static partial nint LLVMCreateStringAttribute(nint context, byte* key, uint keyLength, byte* value, uint valueLength);
    [LibraryImport(Library)] internal static partial void LLVMAddAttributeAtIndex(nint function, uint index, nint attribute);
    [LibraryImport(Library)] internal static partial nint LLVMGetEnumAttributeAtIndex(nint function, uint index, uint kind);
    [LibraryImport(Library)] internal static partial ulong LLVMGetEnumAttributeValue(nint attribute);
    [LibraryImport(Library)] internal static partial nint LLVMGetStringAttributeAtIndex(nint function, uint index, byte* key, uint keyLength);
    [LibraryImport(Library)] internal static partial byte* LLVMGetStringAttributeValue(nint attribute, out uint length);
    [LibraryImport(Library)] internal static partial void LLVMRemoveEnumAttributeAtIndex(nint function, uint index, uint kind);
    [LibraryImport(Library)] internal static partial void LLVMRemoveStringAttributeAtIndex(nint function, uint index, byte* key, uint keyLength);
    [LibraryImport(Library)] internal static partial void LLVMAddCallSiteAttribute(nint call, uint index, nint attribute);
    [LibraryImport(Library)] internal static partial nint LLVMGetCallSiteEnumAttribute(nint call, uint index, uint kind);
    [LibraryImport(Library)] internal static partial void LLVMRemoveCallSiteEnumAttribute(nint call, uint index, uint kind);

    // Builder
    [LibraryImport(Library)] internal static partial nint LLVMCreateBuilderInContext(nint context);
    [LibraryImport(Library)] internal static partial void LLVMDisposeBuilder(nint builder);
    [LibraryImport(Library)] internal static partial void LLVMPositionBuilder(nint builder, nint block, nint instruction);
    [LibraryImport(Library)] internal static partial void LLVMPositionBuilderBefore(nint builder, nint instruction);
    [LibraryImport(Library)] internal static partial void LLVMPositionBuilderBeforeInstrAndDbgRecords(nint builder, nint instruction);
    [LibraryImport(Library)] internal static partial void LLVMPositionBuilderAtEnd(nint builder, nint block);
    [LibraryImport(Library)] internal static partial void LLVMSetCurrentDebugLocation2(nint builder, nint location);
    [LibraryImport(Library)] internal static partial nint LLVMDIBuilderCreateDebugLocation(nint context, uint line, uint column, nint scope, nint inlinedAt);
    [LibraryImport(Library)] internal static partial nint LLVMBuildAlloca(nint builder, nint type, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildLoad2(nint builder, nint type, nint pointer, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildStore(nint builder, nint value, nint pointer);
    [LibraryImport(Library)] internal static partial nint LLVMBuildAdd(nint builder, nint left, nint right, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildBinOp(nint builder, int opcode, nint left, nint right, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildICmp(nint builder, int predicate, nint left, nint right, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildSelect(nint builder, nint condition, nint then, nint otherwise, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildZExt(nint builder, nint value, nint type, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildTrunc(nint builder, nint value, nint type, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildIntToPtr(nint builder, nint value, nint type, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildPtrToInt(nint builder, nint value, nint type, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildGEP2(nint builder, nint type, nint pointer, nint* indices, uint count, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildPhi(nint builder, nint type, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildBr(nint builder, nint target);
    [LibraryImport(Library)] internal static partial nint LLVMBuildCondBr(nint builder, nint condition, nint then, nint otherwise);
    [LibraryImport(Library)] internal static partial nint LLVMBuildInvoke2(nint builder, nint type, nint function, nint* arguments, uint count, nint then, nint pad, byte* name);
    [LibraryImport(Library)] internal static partial nint LLVMBuildCall2(nint builder, nint type, nint function, nint* arguments, uint count, byte* name);

    // Targets, passes and code generation
    [LibraryImport(Library)] internal static partial nint LLVMGetDefaultTargetTriple();
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int LLVMGetTargetFromTriple(string triple, out nint target, out nint message);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint LLVMCreateTargetMachine(nint target, string triple, string cpu, string features, int level, int relocation, int codeModel);
    [LibraryImport(Library)] internal static partial void LLVMDisposeTargetMachine(nint machine);
    [LibraryImport(Library)] internal static partial nint LLVMCreateTargetDataLayout(nint machine);
    [LibraryImport(Library)] internal static partial nint LLVMCopyStringRepOfTargetData(nint data);
    [LibraryImport(Library)] internal static partial void LLVMDisposeTargetData(nint data);
    [LibraryImport(Library)] internal static partial int LLVMTargetMachineEmitToMemoryBuffer(nint machine, nint module, int fileType, out nint message, out nint buffer);
    [LibraryImport(Library)] internal static partial nint LLVMCreatePassBuilderOptions();
    [LibraryImport(Library)] internal static partial void LLVMDisposePassBuilderOptions(nint options);
    [LibraryImport(Library)] internal static partial void LLVMPassBuilderOptionsSetLoopInterleaving(nint options, int on);
    [LibraryImport(Library)] internal static partial void LLVMPassBuilderOptionsSetMergeFunctions(nint options, int on);
    [LibraryImport(Library)] internal static partial void LLVMPassBuilderOptionsSetVerifyEach(nint options, int on);
    [LibraryImport(Library)] internal static partial nint LLVMRunPasses(nint module, byte* passes, nint machine, nint options);
    [LibraryImport(Library)] internal static partial nint LLVMGetErrorMessage(nint error);
    [LibraryImport(Library)] internal static partial void LLVMDisposeErrorMessage(nint message);
}
