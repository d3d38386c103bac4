package dev.heddle.agent;

import java.io.File;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/** The program heddle on this machine. */
final class Program {
    private Program() {}

    /**
     * Looks for the program: where the options say, else {@code bin/heddle} of the directory in whose
     * {@code lib} the agent's jar is, else on the PATH.
     *
     * @throws Left if it is not there
     */
    static File find(String configured, File agent, Map<String, String> environment) throws Left {
        if (configured != null) {
            File file = new File(configured).getAbsoluteFile();
            if (!isProgram(file)) {
                throw new Left(file + ", which the agent was told to be heddle, is no program that can be run");
            }
            return file;
        }
        Set<File> places = new LinkedHashSet<>();
        if (agent != null) {
            // Packages have links: the directory by which the jar was called has the program beside it.
            File lib = agent.getAbsoluteFile().getParentFile();
            if (lib != null && lib.getParentFile() != null) {
                places.add(new File(lib.getParentFile(), "bin/heddle"));
            }
        }
        String path = environment.get("PATH");
        for (String directory : path == null ? new String[0] : path.split(File.pathSeparator)) {
            // An empty one is the working directory, from which no program is to be taken.
            if (directory.startsWith("/")) {
                places.add(new File(directory, "heddle"));
            }
        }
        for (File place : places) {
            if (isProgram(place)) {
                return place;
            }
        }
        throw new Left("the program heddle is neither beside " + agent + " nor on the PATH (agent argument: heddle=PATH)");
    }

    private static boolean isProgram(File file) {
        return file.isFile() && file.canExecute();
    }
}
