package dev.heddle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Label;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;

class PatchTest {
    private static final String SPECIFICATION = "Lorg/apache/flink/client/deployment/ClusterSpecification;";
    private static final String GRAPH = "Lorg/apache/flink/runtime/jobgraph/JobGraph;";
    private static final String PROVIDER = "Lorg/apache/flink/client/program/ClusterClientProvider;";
    private static final String DEPLOY = "(" + SPECIFICATION + "Ljava/lang/String;Ljava/lang/String;" + GRAPH + "Z)" + PROVIDER;
    private static final String[] FIELDS = {
        "flinkConfiguration", "Lorg/apache/flink/configuration/Configuration;",
        "yarnConfiguration", "Lorg/apache/hadoop/yarn/conf/YarnConfiguration;",
        "yarnClient", "Lorg/apache/hadoop/yarn/client/api/YarnClient;",
        "shipFiles", "Ljava/util/List;",
        "shipArchives", "Ljava/util/List;",
        "flinkJarPath", "Lorg/apache/hadoop/fs/Path;"
    };

    /** A descriptor whose method returns null for a detached cluster and throws for another one. */
    private static byte[] descriptor(String deploy, List<String> without) {
        ClassWriter out = new ClassWriter(ClassWriter.COMPUTE_MAXS);
        out.visit(Opcodes.V1_8, Opcodes.ACC_PUBLIC | Opcodes.ACC_SUPER, Patch.DESCRIPTOR, null, "java/lang/Object", null);
        for (int i = 0; i < FIELDS.length; i += 2) {
            if (!without.contains(FIELDS[i])) {
                out.visitField(Opcodes.ACC_PRIVATE, FIELDS[i], FIELDS[i + 1], null, null).visitEnd();
            }
        }
        MethodVisitor made = out.visitMethod(Opcodes.ACC_PUBLIC, "<init>", "()V", null, null);
        made.visitCode();
        made.visitVarInsn(Opcodes.ALOAD, 0);
        made.visitMethodInsn(Opcodes.INVOKESPECIAL, "java/lang/Object", "<init>", "()V", false);
        made.visitInsn(Opcodes.RETURN);
        made.visitMaxs(0, 0);
        made.visitEnd();
        MethodVisitor adopt =
                out.visitMethod(
                        Opcodes.ACC_PRIVATE,
                        "setClusterEntrypointInfoToConfig",
                        "(Lorg/apache/hadoop/yarn/api/records/ApplicationReport;)V",
                        null,
                        null);
        adopt.visitCode();
        adopt.visitInsn(Opcodes.RETURN);
        adopt.visitMaxs(0, 0);
        adopt.visitEnd();
        MethodVisitor method = out.visitMethod(Opcodes.ACC_PRIVATE, "deployInternal", deploy, null, null);
        Label attached = new Label();
        method.visitCode();
        method.visitVarInsn(Opcodes.ILOAD, 5);
        method.visitJumpInsn(Opcodes.IFEQ, attached);
        method.visitInsn(Opcodes.ACONST_NULL);
        method.visitInsn(Opcodes.ARETURN);
        method.visitLabel(attached);
        method.visitFrame(Opcodes.F_SAME, 0, null, 0, null);
        method.visitTypeInsn(Opcodes.NEW, "java/lang/UnsupportedOperationException");
        method.visitInsn(Opcodes.DUP);
        method.visitMethodInsn(Opcodes.INVOKESPECIAL, "java/lang/UnsupportedOperationException", "<init>", "()V", false);
        method.visitInsn(Opcodes.ATHROW);
        method.visitMaxs(0, 0);
        method.visitEnd();
        out.visitEnd();
        return out.toByteArray();
    }

    private static byte[] descriptor(String... without) {
        return descriptor(DEPLOY, Arrays.asList(without));
    }

    @AfterEach
    void clear() {
        System.clearProperty(Options.PROPERTIES + "disabled");
    }

    @Test
    void theMethodGoesOnIfTheHookSaysNothing() throws Exception {
        System.setProperty(Options.PROPERTIES + "disabled", "true");
        byte[] changed = new Transformer().transform(getClass().getClassLoader(), Patch.DESCRIPTOR, null, null, descriptor());
        Class<?> type = new TestLoader().define(changed);
        Object made = type.getConstructor().newInstance();
        String session = Mode.SESSION.entrypoint;
        assertNull(Reflect.call(made, "deployInternal", null, "n", session, null, true));
        assertThrows(
                UnsupportedOperationException.class, () -> Reflect.call(made, "deployInternal", null, "n", session, null, false));
        assertThrows(
                UnsupportedOperationException.class, () -> Reflect.call(made, "deployInternal", null, "n", "a.B", null, false));
    }

    @Test
    void membersStayAsTheyAre() throws Left {
        byte[] before = descriptor();
        byte[] after = Patch.apply(Patch.DESCRIPTOR, before);
        assertEquals(members(before), members(after));
        assertTrue(after.length > before.length);
    }

    @Test
    void aClassWithAnotherMethodIsLeftAlone() {
        String other = DEPLOY.replace("Z)", "ZLjava/lang/Object;)");
        String message =
                assertThrows(Left.class, () -> Patch.apply(Patch.DESCRIPTOR, descriptor(other, Arrays.asList()))).getMessage();
        assertTrue(message.contains("deployInternal (" + SPECIFICATION));
        byte[] content = descriptor(other, Arrays.asList());
        assertNull(new Transformer().transform(getClass().getClassLoader(), Patch.DESCRIPTOR, null, null, content));
    }

    @Test
    void aClassWithoutAFieldIsLeftAlone() {
        for (int i = 0; i < FIELDS.length; i += 2) {
            String field = FIELDS[i];
            String message =
                    assertThrows(Left.class, () -> Patch.apply(Patch.DESCRIPTOR, descriptor(field))).getMessage();
            assertEquals("it is not as Flink has it, it lacks " + field + " " + FIELDS[i + 1], message);
        }
    }

    @Test
    void otherClassesAndBadOnesAreLeftAlone() {
        ClassLoader loader = getClass().getClassLoader();
        Transformer transformer = new Transformer();
        assertNull(transformer.transform(loader, "a/B", null, null, descriptor()));
        assertNull(transformer.transform(loader, null, null, null, descriptor()));
        assertNull(transformer.transform(null, Patch.DESCRIPTOR, null, null, descriptor()));
        assertNull(transformer.transform(loader, Patch.DESCRIPTOR, null, null, new byte[] {1, 2, 3}));
        assertNotNull(transformer.transform(loader, Patch.DESCRIPTOR, null, null, descriptor()));
    }

    private static List<String> members(byte[] content) {
        List<String> found = new java.util.ArrayList<>();
        new ClassReader(content)
                .accept(
                        new ClassVisitor(Opcodes.ASM9) {
                            @Override
                            public org.objectweb.asm.FieldVisitor visitField(int access, String name, String type, String g, Object v) {
                                found.add(access + name + type);
                                return null;
                            }

                            @Override
                            public MethodVisitor visitMethod(int access, String name, String type, String g, String[] e) {
                                found.add(access + name + type);
                                return null;
                            }
                        },
                        0);
        return found.stream().sorted().collect(Collectors.toList());
    }
}
