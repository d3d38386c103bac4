package dev.heddle.agent;

import java.lang.invoke.MethodHandles;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Label;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;

/**
 * Makes a subclass of Flink's {@code RestClusterClient}. It asks a {@code BiFunction} before it asks the
 * cluster: what this has to say of the method and the job, a future or null. So a job's result can be had
 * when its cluster has ended.
 *
 * <p>The class is made here and not compiled, because it has to be in the class loader that has Flink.
 */
final class ClientClass {
    private static final String SUPER = Clients.REST_CLIENT.replace('.', '/');
    private static final String NAME = SUPER + "OfHeddle";
    private static final String FUNCTION = "java/util/function/BiFunction";
    private static final String FUTURE = "java/util/concurrent/CompletableFuture";
    private static final String ASKED = "(Lorg/apache/flink/api/common/JobID;)L" + FUTURE + ";";

    private ClientClass() {}

    /** The class in a class loader, in which it is made at the first call. */
    static synchronized Class<?> in(ClassLoader loader) throws ReflectiveOperationException {
        try {
            return Class.forName(NAME.replace('/', '.'), true, loader);
        } catch (ClassNotFoundException e) {
            return define(Class.forName(Clients.REST_CLIENT, true, loader), bytes());
        }
    }

    /** The class file. The constructor takes a configuration, the id of the cluster, and the function. */
    static byte[] bytes() {
        ClassWriter out = new ClassWriter(ClassWriter.COMPUTE_MAXS);
        out.visit(Opcodes.V1_8, Opcodes.ACC_PUBLIC | Opcodes.ACC_SUPER | Opcodes.ACC_SYNTHETIC, NAME, null, SUPER, null);
        out.visitField(Opcodes.ACC_PRIVATE | Opcodes.ACC_FINAL, "known", "L" + FUNCTION + ";", null, null).visitEnd();

        String configuration = "Lorg/apache/flink/configuration/Configuration;";
        String arguments = "(" + configuration + "Ljava/lang/Object;L" + FUNCTION + ";)V";
        String[] thrown = {"java/lang/Exception"};
        MethodVisitor made = out.visitMethod(Opcodes.ACC_PUBLIC, "<init>", arguments, null, thrown);
        made.visitCode();
        made.visitVarInsn(Opcodes.ALOAD, 0);
        made.visitVarInsn(Opcodes.ALOAD, 1);
        made.visitVarInsn(Opcodes.ALOAD, 2);
        made.visitMethodInsn(Opcodes.INVOKESPECIAL, SUPER, "<init>", "(" + configuration + "Ljava/lang/Object;)V", false);
        made.visitVarInsn(Opcodes.ALOAD, 0);
        made.visitVarInsn(Opcodes.ALOAD, 3);
        made.visitFieldInsn(Opcodes.PUTFIELD, NAME, "known", "L" + FUNCTION + ";");
        made.visitInsn(Opcodes.RETURN);
        made.visitMaxs(0, 0);
        made.visitEnd();

        asking(out, AttachedJob.RESULT);
        asking(out, AttachedJob.STATUS);
        out.visitEnd();
        return out.toByteArray();
    }

    private static void asking(ClassWriter out, String name) {
        MethodVisitor code = out.visitMethod(Opcodes.ACC_PUBLIC, name, ASKED, null, null);
        Label unknown = new Label();
        code.visitCode();
        code.visitVarInsn(Opcodes.ALOAD, 0);
        code.visitFieldInsn(Opcodes.GETFIELD, NAME, "known", "L" + FUNCTION + ";");
        code.visitLdcInsn(name);
        code.visitVarInsn(Opcodes.ALOAD, 1);
        String applied = "(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;";
        code.visitMethodInsn(Opcodes.INVOKEINTERFACE, FUNCTION, "apply", applied, true);
        code.visitInsn(Opcodes.DUP);
        code.visitJumpInsn(Opcodes.IFNULL, unknown);
        code.visitTypeInsn(Opcodes.CHECKCAST, FUTURE);
        code.visitInsn(Opcodes.ARETURN);
        code.visitLabel(unknown);
        code.visitFrame(Opcodes.F_SAME1, 0, null, 1, new Object[] {"java/lang/Object"});
        code.visitInsn(Opcodes.POP);
        code.visitVarInsn(Opcodes.ALOAD, 0);
        code.visitVarInsn(Opcodes.ALOAD, 1);
        code.visitMethodInsn(Opcodes.INVOKESPECIAL, SUPER, name, ASKED, false);
        code.visitInsn(Opcodes.ARETURN);
        code.visitMaxs(0, 0);
        code.visitEnd();
    }

    private static Class<?> define(Class<?> neighbour, byte[] bytes) throws ReflectiveOperationException {
        try {
            Method lookupIn;
            try {
                // From Java 9 on, where the other way is closed from Java 16 on.
                lookupIn = MethodHandles.class.getMethod("privateLookupIn", Class.class, MethodHandles.Lookup.class);
            } catch (NoSuchMethodException e) {
                Method define =
                        ClassLoader.class.getDeclaredMethod("defineClass", String.class, byte[].class, int.class, int.class);
                define.setAccessible(true);
                return (Class<?>) define.invoke(neighbour.getClassLoader(), NAME.replace('/', '.'), bytes, 0, bytes.length);
            }
            Object lookup = lookupIn.invoke(null, neighbour, MethodHandles.lookup());
            return (Class<?>) MethodHandles.Lookup.class.getMethod("defineClass", byte[].class).invoke(lookup, (Object) bytes);
        } catch (InvocationTargetException e) {
            throw new ClassNotFoundException("a subclass of " + neighbour.getName() + " cannot be made: " + e.getCause(), e);
        }
    }
}
