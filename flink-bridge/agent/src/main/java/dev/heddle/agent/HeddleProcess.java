package dev.heddle.agent;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * A process of the program heddle. It has two threads, which end with it: one reads its answer, and one
 * passes on its log lines and tidies up in the end.
 */
final class HeddleProcess {
    /** How many of the last lines of the log an error repeats. */
    private static final int LAST_LINES = 10;

    /** How long a process may need to undo what it has begun, in seconds. */
    private static final long UNDO_SECONDS = 30;

    /** How long the last lines of a process that has ended are waited for. */
    private static final long LAST_WORDS_MILLIS = 2000;

    /** Those that run now. */
    private static final Set<HeddleProcess> RUNNING = ConcurrentHashMap.newKeySet();

    private final Process process;
    private final PrivateDirectory directory;
    private final HostLog log;
    private final CompletableFuture<String> answer = new CompletableFuture<>();
    private final Deque<String> lastLines = new ArrayDeque<>();
    private Thread logReader;

    private HeddleProcess(Process process, PrivateDirectory directory, HostLog log) {
        this.process = process;
        this.directory = directory;
        this.log = log;
    }

    /**
     * Starts the program.
     *
     * @param directory is removed when the process has ended
     */
    static HeddleProcess start(ProcessBuilder builder, PrivateDirectory directory, HostLog log) throws IOException {
        HeddleProcess started = new HeddleProcess(builder.start(), directory, log);
        RUNNING.add(started);
        try {
            daemon("heddle-answer", started::readAnswer);
            started.logReader = daemon("heddle-log", started::readLog);
        } catch (Throwable e) {
            // Without its threads nobody would notice its end.
            RUNNING.remove(started);
            started.closeInput();
            started.process.destroy();
            throw e;
        }
        return started;
    }

    /** What is to be done when the JVM ends: nothing may be left behind, and nobody is to wait. */
    static void endAll() {
        for (HeddleProcess each : RUNNING) {
            each.closeInput();
            if (!each.answer.isDone()) {
                // It undoes what it has begun.
                each.process.destroy();
            }
            each.tidyUp();
        }
    }

    /**
     * Waits for the line that the program answers with.
     *
     * @return null if it has ended without one
     */
    String awaitAnswer() throws InterruptedException, IOException {
        try {
            return answer.get();
        } catch (ExecutionException e) {
            throw new IOException("heddle's answer cannot be read: " + e.getCause(), e.getCause());
        }
    }

    /**
     * Says that nothing more will come, which the program takes as the end of {@code main()}.
     *
     * @param code the exit code of {@code main()}
     */
    void finish(int code) {
        try {
            if (code != 0) {
                OutputStream input = process.getOutputStream();
                input.write(("{\"exit\": " + code + "}\n").getBytes(StandardCharsets.UTF_8));
                input.flush();
            }
        } catch (IOException e) {
            // It has ended already.
        }
        closeInput();
    }

    /**
     * Waits for the end of the process, and kills it if it does not end in time. By then heddle has nothing
     * to undo: if its client is gone, the ApplicationMaster goes on by itself.
     */
    void awaitEnd(long seconds) throws InterruptedException {
        if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
            log.warn("heddle did not end within " + seconds + " s, and is killed.");
            process.destroyForcibly();
        }
    }

    /**
     * Gives up a deployment that the program has not finished, and waits until it has undone what it had
     * begun.
     */
    void giveUp() {
        closeInput();
        process.destroy();
        boolean interrupted = false;
        try {
            if (!process.waitFor(UNDO_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            // It has been told to undo what it has begun, and does so without anybody who waits for it.
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /**
     * Whether a process that has given no answer never was heddle: the shell and the dynamic linker end with
     * these codes if a program or its libraries cannot be loaded.
     */
    boolean neverRan() throws InterruptedException {
        return process.waitFor(UNDO_SECONDS, TimeUnit.SECONDS) && (process.exitValue() == 126 || process.exitValue() == 127);
    }

    /** How the process has ended, in words, with the last lines of its log. */
    String end() throws InterruptedException {
        String code = process.waitFor(UNDO_SECONDS, TimeUnit.SECONDS) ? "with exit code " + process.exitValue() : "its output";
        // Its last words may still be in the pipe. A child of it may keep the pipe open for longer.
        logReader.join(LAST_WORDS_MILLIS);
        StringBuilder text = new StringBuilder("heddle has ended ").append(code).append(" without an answer");
        synchronized (lastLines) {
            lastLines.forEach(line -> text.append('\n').append(line));
        }
        return text.toString();
    }

    /** Reads on after the answer, because a process whose output nobody reads could block. */
    private void readAnswer() {
        try (BufferedReader output = reader(process.getInputStream())) {
            answer.complete(output.readLine());
            while (output.readLine() != null) {
                continue;
            }
        } catch (IOException e) {
            answer.completeExceptionally(e);
        }
    }

    private void readLog() {
        try {
            BufferedReader lines = reader(process.getErrorStream());
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.isEmpty()) {
                    continue;
                }
                synchronized (lastLines) {
                    lastLines.addLast(line);
                    if (lastLines.size() > LAST_LINES) {
                        lastLines.removeFirst();
                    }
                }
                log.relay(line);
            }
        } catch (IOException e) {
            log.warn("heddle's log cannot be read: " + e);
        }
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            // Nobody interrupts this thread but the end of the JVM.
        }
        closeInput();
        tidyUp();
        // Not before: if the JVM ends meanwhile, its end waits until everything is removed.
        RUNNING.remove(this);
    }

    private void tidyUp() {
        try {
            directory.delete();
        } catch (IOException e) {
            log.warn("The private files in " + directory.path + " cannot be removed: " + e);
        }
    }

    private void closeInput() {
        try {
            process.getOutputStream().close();
        } catch (IOException e) {
            // It has ended already.
        }
    }

    private static BufferedReader reader(InputStream stream) {
        return new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8));
    }

    /** Starts a thread that keeps neither the JVM nor a class loader of the host alive. */
    private static Thread daemon(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.setContextClassLoader(null);
        thread.start();
        return thread;
    }
}
