package no.couchexplorers.imagegenerator;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/** For a person: what is sent on standard output, all else on standard error. */
final class TextReport implements Report {
    private final PrintStream out;
    private final PrintStream err;

    TextReport(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    @Override
    public void sent(Message message, String messageId) {
        out.println("Message sent successfully. Message ID: " + messageId);
    }

    @Override
    public void refused(Message message, String reason) {
        err.println("Error: line " + message.line() + " was not sent. " + reason);
    }

    /** The reason itself is the program's last word, with or without lines to list. */
    @Override
    public void failed(List<Message> messages, String reason) {
        List<String> ranges = new ArrayList<>();
        int first = 0;
        for (int index = 0; index < messages.size(); index++) {
            int line = messages.get(index).line();
            boolean ends =
                    index + 1 == messages.size() || messages.get(index + 1).line() != line + 1;
            first = first == 0 ? line : first;
            if (ends && line > 0) {
                ranges.add(first == line ? "line " + line : "lines " + first + " to " + line);
                first = 0;
            }
        }
        if (!ranges.isEmpty()) {
            err.println("Not sent: " + String.join(", ", ranges) + ".");
        }
    }

    @Override
    public void finished(int sent, int total) {
        err.println("Sent " + sent + " of " + total + (total == 1 ? " prompt." : " prompts."));
    }
}
