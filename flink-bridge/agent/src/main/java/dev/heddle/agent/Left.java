package dev.heddle.agent;

/**
 * Says why heddle does not deploy a cluster, so that the caller goes on as before. Nothing has been
 * submitted.
 */
final class Left extends Exception {
    private static final long serialVersionUID = 1;

    Left(String reason) {
        // It is no error, and nobody sees where it was made. It becomes one line of a log.
        super(reason.replace('\n', ' '), null, false, false);
    }
}
