package no.couchexplorers.imagegenerator;

import java.util.List;

/** Tells the caller what became of each message. */
interface Report {

    /** SQS has the message under this id. */
    void sent(Message message, String messageId);

    /** SQS took the others of the batch, but not this one. */
    void refused(Message message, String reason);

    /** None of these was sent, all for one reason, which ends the program. */
    void failed(List<Message> messages, String reason);

    /** No more messages of the file will be tried. */
    void finished(int sent, int total);
}
