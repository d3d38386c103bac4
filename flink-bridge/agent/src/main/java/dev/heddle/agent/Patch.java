package dev.heddle.agent;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.FieldVisitor;
import org.objectweb.asm.Label;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;

/** Puts a call in front of a method of a class file, if the class is as it is known. */
final class Patch {
    /** The class whose deployments go through heddle. */
    static final String DESCRIPTOR = "org/apache/flink/yarn/YarnClusterDescriptor";

    /** The class that finds what runs the jobs of a target. */
    static final String EXECUTORS = "org/apache/flink/core/execution/DefaultExecutorServiceLoader";

    private static final int API = Opcodes.ASM9;
    private static final String OBJECT = "java/lang/Object";
    private static final String FUNCTION = "java/util/function/Function";
    private static final String STRING = "Ljava/lang/String;";
    private static final String LIST = "Ljava/util/List;";
    private static final String CONFIGURATION = "Lorg/apache/flink/configuration/Configuration;";
    private static final String REPORT = "Lorg/apache/hadoop/yarn/api/records/ApplicationReport;";

    /** The depth of the stack that a call of a hook needs. */
    private static final int DEPTH = 5;

    /** The changed method, its descriptor, what it returns, and the hook in front of it. */
    private final String method;
    private final String descriptor;
    private final String returned;
    private final String hook;

    /** Members that the hook needs, as name and descriptor. */
    private final Set<String> needed;

    /** Whether the hook wants to know of new objects. */
    private final boolean constructors;

    private Patch(String method, String arguments, String returned, String hook, boolean constructors, String... needed) {
        this.method = method;
        this.descriptor = "(" + arguments + ")L" + returned + ";";
        this.returned = returned;
        this.hook = hook;
        this.constructors = constructors;
        this.needed = new HashSet<>(Arrays.asList(needed));
        this.needed.add(method + " " + descriptor);
    }

    /**
     * Changes a class.
     *
     * @param name the class, {@link #DESCRIPTOR} or {@link #EXECUTORS}
     * @param content its class file, which stays as it is
     * @throws Left if the class has not all that is needed, as vendors may have changed it
     */
    static byte[] apply(String name, byte[] content) throws Left {
        return name.equals(DESCRIPTOR) ? ofDescriptor().apply(content) : ofExecutors().apply(content);
    }

    private static Patch ofDescriptor() {
        return new Patch(
                "deployInternal",
                "Lorg/apache/flink/client/deployment/ClusterSpecification;" + STRING + STRING
                        + "Lorg/apache/flink/runtime/jobgraph/JobGraph;Z",
                "org/apache/flink/client/program/ClusterClientProvider",
                Hooks.DEPLOY,
                true,
                "flinkConfiguration " + CONFIGURATION,
                "yarnConfiguration Lorg/apache/hadoop/yarn/conf/YarnConfiguration;",
                "yarnClient Lorg/apache/hadoop/yarn/client/api/YarnClient;",
                "shipFiles " + LIST,
                "shipArchives " + LIST,
                "flinkJarPath Lorg/apache/hadoop/fs/Path;",
                "setClusterEntrypointInfoToConfig (" + REPORT + ")V");
    }

    private static Patch ofExecutors() {
        return new Patch(
                "getExecutorFactory",
                CONFIGURATION,
                "org/apache/flink/core/execution/PipelineExecutorFactory",
                Hooks.EXECUTORS,
                false);
    }

    private byte[] apply(byte[] content) throws Left {
        ClassReader reader = new ClassReader(content);
        check(reader);
        ClassWriter writer = new ClassWriter(reader, 0);
        reader.accept(new Changed(writer), 0);
        return writer.toByteArray();
    }

    private void check(ClassReader reader) throws Left {
        Set<String> missing = new HashSet<>(needed);
        reader.accept(
                new ClassVisitor(API) {
                    @Override
                    public FieldVisitor visitField(int access, String name, String type, String generic, Object value) {
                        remove(access, name, type);
                        return null;
                    }

                    @Override
                    public MethodVisitor visitMethod(int access, String name, String type, String generic, String[] thrown) {
                        remove(access, name, type);
                        return null;
                    }

                    private void remove(int access, String name, String type) {
                        if ((access & (Opcodes.ACC_STATIC | Opcodes.ACC_ABSTRACT | Opcodes.ACC_NATIVE)) == 0) {
                            missing.remove(name + " " + type);
                        }
                    }
                },
                ClassReader.SKIP_CODE | ClassReader.SKIP_DEBUG | ClassReader.SKIP_FRAMES);
        if (!missing.isEmpty()) {
            List<String> names = new ArrayList<>(missing);
            names.sort(null);
            throw new Left("it is not as Flink has it, it lacks " + String.join(", ", names));
        }
    }

    private final class Changed extends ClassVisitor {
        Changed(ClassVisitor next) {
            super(API, next);
        }

        @Override
        public MethodVisitor visitMethod(int access, String name, String type, String generic, String[] thrown) {
            MethodVisitor next = super.visitMethod(access, name, type, generic, thrown);
            if (name.equals(method) && type.equals(descriptor)) {
                return new InFront(next);
            }
            return constructors && name.equals("<init>") ? new AtTheEnd(next) : next;
        }
    }

    /** Calls the hook with the object and the arguments, and returns what it returns, if that is not null. */
    private final class InFront extends MethodVisitor {
        InFront(MethodVisitor next) {
            super(API, next);
        }

        @Override
        public void visitCode() {
            super.visitCode();
            call(mv, hook, "L" + shorty(descriptor));
            Label onwards = new Label();
            super.visitInsn(Opcodes.DUP);
            super.visitJumpInsn(Opcodes.IFNULL, onwards);
            super.visitTypeInsn(Opcodes.CHECKCAST, returned);
            super.visitInsn(Opcodes.ARETURN);
            super.visitLabel(onwards);
            // All else is as at the beginning, so that the frames that follow fit.
            super.visitFrame(Opcodes.F_SAME1, 0, null, 1, new Object[] {OBJECT});
            super.visitInsn(Opcodes.POP);
        }

        @Override
        public void visitMaxs(int stack, int locals) {
            super.visitMaxs(Math.max(stack, DEPTH), locals);
        }
    }

    /** Calls the hook with the new object. */
    private static final class AtTheEnd extends MethodVisitor {
        AtTheEnd(MethodVisitor next) {
            super(API, next);
        }

        @Override
        public void visitInsn(int opcode) {
            if (opcode == Opcodes.RETURN) {
                call(mv, Hooks.CONSTRUCTED, "L");
                super.visitInsn(Opcodes.POP);
            }
            super.visitInsn(opcode);
        }

        @Override
        public void visitMaxs(int stack, int locals) {
            super.visitMaxs(stack + DEPTH, locals);
        }
    }

    /**
     * Writes a call of a hook, whose result is then on the stack. It names only classes that every class
     * loader has.
     *
     * @param types a letter for each local variable that the hook gets: {@code Z} for a boolean, {@code L}
     *     for an object
     */
    private static void call(MethodVisitor code, String hook, String types) {
        code.visitMethodInsn(
                Opcodes.INVOKESTATIC, "java/lang/ClassLoader", "getSystemClassLoader", "()Ljava/lang/ClassLoader;", false);
        code.visitLdcInsn(Hooks.class.getName());
        String load = "(" + STRING + ")Ljava/lang/Class;";
        code.visitMethodInsn(Opcodes.INVOKEVIRTUAL, "java/lang/ClassLoader", "loadClass", load, false);
        code.visitMethodInsn(Opcodes.INVOKEVIRTUAL, "java/lang/Class", "newInstance", "()L" + OBJECT + ";", false);
        code.visitTypeInsn(Opcodes.CHECKCAST, FUNCTION);
        code.visitIntInsn(Opcodes.BIPUSH, types.length() + 1);
        code.visitTypeInsn(Opcodes.ANEWARRAY, OBJECT);
        code.visitInsn(Opcodes.DUP);
        code.visitInsn(Opcodes.ICONST_0);
        code.visitLdcInsn(hook);
        code.visitInsn(Opcodes.AASTORE);
        for (int local = 0; local < types.length(); local++) {
            code.visitInsn(Opcodes.DUP);
            code.visitIntInsn(Opcodes.BIPUSH, local + 1);
            if (types.charAt(local) == 'Z') {
                code.visitVarInsn(Opcodes.ILOAD, local);
                code.visitMethodInsn(Opcodes.INVOKESTATIC, "java/lang/Boolean", "valueOf", "(Z)Ljava/lang/Boolean;", false);
            } else {
                code.visitVarInsn(Opcodes.ALOAD, local);
            }
            code.visitInsn(Opcodes.AASTORE);
        }
        code.visitMethodInsn(Opcodes.INVOKEINTERFACE, FUNCTION, "apply", "(L" + OBJECT + ";)L" + OBJECT + ";", true);
    }

    /** One letter for each argument of a descriptor, whose types are classes and booleans. */
    private static String shorty(String descriptor) {
        return descriptor.substring(1, descriptor.indexOf(')')).replaceAll("L[^;]*;", "L");
    }
}
