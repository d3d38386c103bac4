package dev.heddle.agent;

import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;

/** Reads fields and calls methods of objects whose classes this package must not name. */
final class Reflect {
    private Reflect() {}

    /** The value of a field, which may be private and of a superclass. */
    static Object field(Object target, String name) throws NoSuchFieldException, IllegalAccessException {
        for (Class<?> type = target.getClass(); type != null; type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                if (field.getName().equals(name)) {
                    field.setAccessible(true);
                    return field.get(target);
                }
            }
        }
        throw new NoSuchFieldException(target.getClass().getName() + " has no field " + name);
    }

    /** The value of a public static field. */
    static Object constant(Class<?> type, String name) throws ReflectiveOperationException {
        return type.getField(name).get(null);
    }

    /** Calls a method of an object, which may be private, and throws what it throws. */
    static Object call(Object target, String name, Object... arguments) throws Exception {
        return invoke(method(target.getClass(), name, arguments), target, arguments);
    }

    /** Calls a static method, and throws what it throws. */
    static Object callStatic(Class<?> type, String name, Object... arguments) throws Exception {
        return invoke(method(type, name, arguments), null, arguments);
    }

    /** Calls the public constructor that fits, and throws what it throws. */
    static Object make(Class<?> type, Object... arguments) throws Exception {
        for (java.lang.reflect.Constructor<?> each : type.getConstructors()) {
            if (fits(each, arguments)) {
                each.setAccessible(true);
                try {
                    return each.newInstance(arguments);
                } catch (InvocationTargetException e) {
                    throw thrown(e);
                }
            }
        }
        throw new NoSuchMethodException(type.getName() + " has no constructor for these arguments");
    }

    private static Object invoke(Method method, Object target, Object... arguments) throws Exception {
        method.setAccessible(true);
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw thrown(e);
        }
    }

    private static Exception thrown(InvocationTargetException e) {
        Throwable cause = e.getCause();
        if (cause instanceof Error) {
            throw (Error) cause;
        }
        return (Exception) cause;
    }

    private static Method method(Class<?> type, String name, Object... arguments) throws NoSuchMethodException {
        for (Class<?> each = type; each != null; each = each.getSuperclass()) {
            Method found = declared(each, name, arguments);
            if (found != null) {
                return found;
            }
        }
        // What is left are default methods of interfaces, which are public.
        for (Method each : type.getMethods()) {
            if (each.getName().equals(name) && fits(each, arguments)) {
                return each;
            }
        }
        throw new NoSuchMethodException(type.getName() + " has no method " + name + " for these arguments");
    }

    private static Method declared(Class<?> type, String name, Object... arguments) {
        for (Method each : type.getDeclaredMethods()) {
            // A bridge takes any object, also one that the method itself does not.
            if (each.getName().equals(name) && !each.isBridge() && fits(each, arguments)) {
                return each;
            }
        }
        return null;
    }

    private static boolean fits(Executable executable, Object... arguments) {
        Class<?>[] types = executable.getParameterTypes();
        if (types.length != arguments.length) {
            return false;
        }
        for (int i = 0; i < types.length; i++) {
            Class<?> type = types[i];
            boolean fits =
                    arguments[i] == null
                            ? !type.isPrimitive()
                            : type.isInstance(arguments[i])
                                    || type == int.class && arguments[i] instanceof Integer
                                    || type == long.class && arguments[i] instanceof Long
                                    || type == boolean.class && arguments[i] instanceof Boolean;
            if (!fits) {
                return false;
            }
        }
        return true;
    }
}
